/** The main flow of a boot: read, locate, authenticate, plan, mount, prove, report. One decision, used by plan and setup-root alike. */
export { decide, type Decision } from "./decide.ts";
export { leftTo, type LeftTo } from "./left-to.ts";
export { type BootOptions, DEFAULT_CONFIG, DEFAULT_SYSROOT } from "./options.ts";
export type { Plan, PlannedMount, Signed } from "./plan.ts";
export { type Inputs, readInputs } from "./read.ts";
export { REPORT_PATH } from "./report.ts";
export { setupRoot, type SetupRootResult } from "./setup-root.ts";
export { planRows, remarks, signedTime, summarise } from "./summary.ts";
export type { PolicyFiles } from "./trusted-keys.ts";
export { VERSION } from "./version.ts";
