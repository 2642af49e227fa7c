/** BUN_INSPECT* open the process to whoever connects, to run code in it: not in ours. */

import { afterAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { createServer, connect } from "node:net";
import { join } from "node:path";
import { type Build, buildProbes, scratchDirectory } from "./programs.ts";

const directory = scratchDirectory();
const probes = buildProbes(directory);
afterAll(() => rmSync(directory, { recursive: true }));

const STAY = 600; // milliseconds that the probe lives: far more than it takes to listen or to dial

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), done(true)));
    socket.once("error", () => done(false));
  });
}

async function listens(build: Build): Promise<boolean> {
  const port = await freePort();
  const child = Bun.spawn([probes[build], "wait", String(STAY)], { cwd: "/", env: { BUN_INSPECT: `ws://127.0.0.1:${port}/x` }, stdout: "pipe", stderr: "ignore" });
  let found = false;
  while (!found && child.exitCode === null) {
    found = await answers(port);
    await Bun.sleep(10);
  }
  await child.exited;
  return found;
}

async function dials(build: Build): Promise<boolean> {
  const path = join(directory, `${build}.socket`);
  let called = false;
  const server = createServer((socket) => {
    called = true;
    socket.destroy();
  });
  await new Promise<void>((done) => server.listen(path, done));
  const child = Bun.spawn([probes[build], "wait", String(STAY)], { cwd: "/", env: { BUN_INSPECT_CONNECT_TO: `unix://${path}` }, stdout: "pipe", stderr: "ignore" });
  await child.exited;
  server.close();
  return called;
}

test("BUN_INSPECT: a control listens", async () => expect(await listens("plain")).toBe(true));
test("BUN_INSPECT: ours does not", async () => expect(await listens("finished")).toBe(false));
test("BUN_INSPECT_CONNECT_TO: a control dials", async () => expect(await dials("plain")).toBe(true));
test("BUN_INSPECT_CONNECT_TO: ours does not", async () => expect(await dials("finished")).toBe(false));
