/**
 * What the environment may and may not do to sealroot: the one list that the build, the unit's test and the runtime tests share.
 *
 * The executable's own first instructions (entry-code.ts) blank every variable that is not on the
 * short list below, before the runtime sees any: a list of what is allowed needs no upkeep when the
 * runtime learns a new variable. What they cannot stop is what the dynamic loader reads before the
 * first instruction of any dynamic program; the unit takes those away (UnsetEnvironment=).
 */

/**
 * Variables that the program may see. Nothing in the runtime reads them but TERM and NO_COLOR (colour or not); SOURCE_DATE_EPOCH is for
 * `commit`, CFS_PARSE_STRICT and POSIXLY_CORRECT are for the C composefs tools' commands.
 */
export const ALLOWED_ENVIRONMENT = ["TERM", "NO_COLOR", "JOURNAL_STREAM", "INVOCATION_ID", "NOTIFY_SOCKET", "SOURCE_DATE_EPOCH", "CFS_PARSE_STRICT", "POSIXLY_CORRECT"] as const;

/** Read by the dynamic loader (ld.so(8), musl's ld.so) before our first instruction: only whoever starts us can remove them. */
export const LOADER_ENVIRONMENT = [
  "LD_PRELOAD",
  "LD_AUDIT",
  "LD_LIBRARY_PATH",
  "LD_BIND_NOW",
  "LD_BIND_NOT",
  "LD_DEBUG",
  "LD_DEBUG_OUTPUT",
  "LD_DYNAMIC_WEAK",
  "LD_HWCAP_MASK",
  "LD_ORIGIN_PATH",
  "LD_POINTER_GUARD",
  "LD_PREFER_MAP_32BIT_EXEC",
  "LD_PROFILE",
  "LD_PROFILE_OUTPUT",
  "LD_SHOW_AUXV",
  "LD_TRACE_LOADED_OBJECTS",
  "LD_USE_LOAD_BIAS",
  "LD_VERBOSE",
  "LD_WARN",
  "GLIBC_TUNABLES",
] as const;

/** Read by the runtime and its libraries; blanked by the entry code, and named in the unit as a second line. */
export const RUNTIME_ENVIRONMENT = [
  "BUN_BE_BUN",
  "BUN_OPTIONS",
  "BUN_INSPECT",
  "BUN_INSPECT_CONNECT_TO",
  "BUN_INSPECT_NOTIFY",
  "BUN_INSPECT_PRELOAD",
  "BUN_BYTECODE_DIGEST_OUT",
  "BUN_BYTECODE_ORDER_NAMES_OUT",
  "BUN_BYTECODE_ORDER_OUT",
  "NODE_OPTIONS",
  "NODE_PATH",
  "NODE_EXTRA_CA_CERTS",
  "NODE_TLS_REJECT_UNAUTHORIZED",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "ICU_DATA",
  "ICU_TIMEZONE_FILES_DIR",
  "GCONV_PATH",
  "LOCPATH",
  "TMPDIR",
] as const;

/** UnsetEnvironment= of every unit that starts sealroot holds at least these. */
export const UNIT_UNSET_ENVIRONMENT: readonly string[] = [...LOADER_ENVIRONMENT, ...RUNTIME_ENVIRONMENT];
