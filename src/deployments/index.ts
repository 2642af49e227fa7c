/**
 * What on a machine names an image: state directories of deployments, boot entries of every kind, the running system. Whoever removes
 * or judges images asks here who needs them.
 */
export { bootEntryImages, type EntryImages, grubImages, imageOfFileName } from "./boot-entries.ts";
export { type Deployed, type DeployedImage, findDeployed, physicalRootOf } from "./find.ts";
