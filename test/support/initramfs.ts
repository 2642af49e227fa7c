/**
 * A mount namespace of its own that looks as an initramfs does when setup-root is called: a root on a tmpfs with /run, /etc and
 * an empty /sysroot, the host's programs below /usr, /proc, and a device directory. The host sees nothing of it, and when the
 * value is disposed of (or the test dies) all its mounts are gone.
 *
 * Files in it are reached from the test through {@link Initramfs.at}.
 */

import { type Subprocess } from "bun";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { projectTop } from "../vm/lab/cache.ts";
import { describeMountTable, type MountEntry, readMountTable } from "./mount-table.ts";
import { programDirectory } from "./program.ts";
import { TemporaryDirectory } from "./temporary.ts";

export interface InitramfsOptions {
  /** A directory of the host that appears at its own path, read-only. */
  readonly show?: readonly string[];
  /** What /proc/cmdline says; the host's own when absent. */
  readonly cmdline?: string | Uint8Array;
  /** A device directory of its own, in which a test can make nodes; otherwise the host's is shown. */
  readonly ownDevices?: boolean;
}

export interface Finished {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** It did not end within the time limit and was killed. */
  readonly hung: boolean;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which the program counts as hung; default 20000. */
  readonly limit?: number;
}

const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" } as const;

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Builds the new root on /mnt (which only this namespace sees changed), makes it the root and waits to be killed. */
function script({ show = [], ownDevices = false }: InitramfsOptions, cmdlineFile: string | undefined): string {
  const shown = [...new Set([projectTop, programDirectory, ...show])].map((path) => `mkdir -p .${quote(path)}; mount --bind -o ro ${quote(path)} .${quote(path)}`);
  return `set -e
mount -t tmpfs -o mode=755 initramfs /mnt
cd /mnt
mkdir -p usr etc proc sys dev run tmp var sysroot old .usr/upper .usr/work
mount -t overlay -o lowerdir=/usr,upperdir=.usr/upper,workdir=.usr/work usr usr
for name in bin sbin lib lib64; do if [ -L /$name ]; then cp -P /$name $name; elif [ -d /$name ]; then mkdir $name; mount --bind -o ro /$name $name; fi; done
for name in passwd group ld.so.cache ld.so.conf nsswitch.conf alternatives; do if [ -e /etc/$name ]; then cp -a /etc/$name etc/; fi; done
: > etc/initrd-release
mount -t tmpfs -o mode=755 run run
chmod 1777 tmp
mount --rbind /proc proc
mount --rbind /sys sys
${ownDevices ? "mount -t tmpfs -o mode=755 dev dev; cp -a /dev/null /dev/zero /dev/full /dev/urandom /dev/loop* dev/; mkdir dev/block" : "mount --rbind /dev dev"}
${cmdlineFile === undefined ? "" : `cp ${quote(cmdlineFile)} etc/cmdline; mount --bind etc/cmdline proc/cmdline`}
${shown.join("\n")}
pivot_root . old
umount -l /old
rmdir /old
echo ready
exec sleep infinity
`;
}

export class Initramfs implements Disposable {
  readonly #process: Subprocess<"ignore", "pipe", "pipe">;

  private constructor(process: Subprocess<"ignore", "pipe", "pipe">) {
    this.#process = process;
  }

  static async create(options: InitramfsOptions = {}): Promise<Initramfs> {
    if (process.getuid?.() !== 0) throw new Error("the integration tests need root: they make mounts in a namespace of their own");
    using draft = new TemporaryDirectory();
    const cmdlineFile = options.cmdline === undefined ? undefined : `${draft.path}/cmdline`;
    if (cmdlineFile !== undefined) writeFileSync(cmdlineFile, options.cmdline ?? "");
    // pdeathsig: a test run that is killed leaves no namespace behind
    const child = Bun.spawn(["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "bash", "-c", script(options, cmdlineFile)], {
      stdin: "ignore", stdout: "pipe", stderr: "pipe", env: ENVIRONMENT,
    });
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    if (new TextDecoder().decode(value) !== "ready\n") {
      child.kill("SIGKILL");
      throw new Error(`no private mount namespace: ${await child.stderr.text()}`);
    }
    return new Initramfs(child);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** A path of the namespace as the test reaches it. Absolute links in it must not be followed. */
  at(path: string): string {
    return `/proc/${this.pid}/root${path}`;
  }

  /** Runs a program in the namespace and waits for it. The environment is empty but for PATH and what is given. */
  run(argv: readonly string[], { env = {}, limit = 20_000 }: RunOptions = {}): Finished {
    const done = Bun.spawnSync(this.#inside(argv), {
      stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: limit, killSignal: "SIGKILL", env: { ...ENVIRONMENT, ...env },
    });
    const hung = done.exitedDueToTimeout === true;
    return { exit: hung ? null : done.exitCode, stdout: done.stdout.toString(), stderr: done.stderr.toString(), hung };
  }

  /** As {@link run}, while the test goes on. */
  async start(argv: readonly string[], { env = {}, limit = 20_000 }: RunOptions = {}): Promise<Finished> {
    const child = Bun.spawn(this.#inside(argv), { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { ...ENVIRONMENT, ...env } });
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      child.kill("SIGKILL");
    }, limit);
    const [stdout, stderr, exit] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    clearTimeout(timer);
    return { exit: hung ? null : exit, stdout, stderr, hung };
  }

  #inside(argv: readonly string[]): string[] {
    return ["nsenter", `--mount=/proc/${this.pid}/ns/mnt`, "--", ...argv];
  }

  /** Runs a shell script that is expected to succeed. @returns its standard output */
  shell(text: string): string {
    const { exit, stdout, stderr } = this.run(["bash", "-ec", text]);
    if (exit !== 0) throw new Error(`exit status ${exit}: ${text}\n${stderr}`);
    return stdout;
  }

  write(path: string, content: string | Uint8Array): void {
    mkdirSync(this.at(dirname(path)), { recursive: true });
    writeFileSync(this.at(path), content);
  }

  read(path: string): string {
    return readFileSync(this.at(path), "utf8");
  }

  exists(path: string): boolean {
    return existsSync(this.at(path));
  }

  mounts(): MountEntry[] {
    return readMountTable(this.pid);
  }

  /** For comparing before with after. */
  mountTable(): string[] {
    return describeMountTable(this.mounts());
  }

  [Symbol.dispose](): void {
    this.#process.kill("SIGKILL");
  }
}
