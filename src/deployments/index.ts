/**
 * What on a machine names an image: state directories of deployments, boot entries of every kind, the running system. Whoever removes
 * or judges images asks here who needs them.
 */
export { bootEntryImages, type EntryImages, imageOfFileName, loadOptionImages, menuImages } from "./boot-entries.ts";
export { type Deployed, type DeployedImage, type DeployedMachine, findDeployed, physicalRootOf } from "./find.ts";
export { showsAllProcesses } from "./mounts.ts";
