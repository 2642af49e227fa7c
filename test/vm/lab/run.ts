/** Runs the host programs that the lab is made of, with a time limit each and an error that shows what they said. */

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Seconds until the program is killed; default 300. */
  readonly timeout?: number;
  /** Exit statuses that are no failure; default only 0. */
  readonly accept?: readonly number[];
}

export interface RunResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `argv` and waits for it.
 * @throws Error with the last lines of what the program said, when it fails or does not end in time
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { timeout = 300, accept = [0] } = options;
  const child = Bun.spawn([...argv], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, LC_ALL: "C", ...options.env },
    stdin: options.input === undefined ? "ignore" : new Blob([typeof options.input === "string" ? options.input : Uint8Array.from(options.input)]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeout * 1000,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr, exit] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (accept.includes(exit)) return { exit, stdout, stderr };
  const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-15).join("\n");
  const how = child.signalCode === "SIGKILL" ? `did not end within ${timeout} s` : `ended with status ${exit}`;
  throw new Error(`${argv.slice(0, 12).join(" ")}: ${how}\n${said}`);
}

/** The program's standard output without trailing white space. */
export async function output(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  return (await run(argv, options)).stdout.trimEnd();
}
