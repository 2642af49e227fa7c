// From a clean clone to a running test or demo: installs the npm packages that package-lock.json names, when they are not there
// yet, and hands over to the project's own Bun. Plain JavaScript, since Node.js is all that a fresh machine has.
//
//   node test/bootstrap.mjs SCRIPT [ARGUMENTS]

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("..", import.meta.url));
const bun = `${top}node_modules/.bin/bun`;
const [script, ...rest] = process.argv.slice(2);

/** Whether what is installed is what the lock file names. */
function installed() {
  const record = `${top}node_modules/.package-lock.json`;
  if (!existsSync(record) || !existsSync(bun)) return false;
  const wanted = JSON.parse(readFileSync(`${top}package-lock.json`, "utf8")).packages;
  const present = JSON.parse(readFileSync(record, "utf8")).packages;
  return Object.entries(wanted).every(([path, entry]) => path === "" || entry.optional === true || present[path]?.integrity === entry.integrity);
}

/** Runs a program in the project's folder; ends with its status when that is not 0. */
function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: top, stdio: "inherit" });
  if (error !== undefined) {
    console.error(`bootstrap: cannot run ${command}: ${error.message}`);
    process.exit(1);
  }
  if (status !== 0) process.exit(status ?? (signal === null ? 1 : 128));
}

if (script === undefined) {
  console.error("usage: node test/bootstrap.mjs SCRIPT [ARGUMENTS]");
  process.exit(2);
}
if (!installed()) {
  console.error("installing the npm packages of package-lock.json …");
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
}
// a client that runs no install scripts leaves a placeholder in the place of the executable
if (spawnSync(bun, ["--version"], { stdio: "ignore" }).status !== 0) run(process.execPath, [`${top}node_modules/bun/install.js`]);
run(bun, [script, ...rest]);
