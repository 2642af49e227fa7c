/**
 * An OSTree deployment on the physical root (libostree: ostree-sysroot(7), "deployments"). `ostree=` names a link, by way of
 * `/ostree/boot.N`, to `ostree/deploy/<stateroot>/deploy/<commit>.<serial>`.
 *
 * Nothing on the disk may lead out of the physical root, and what the link leads to has to be a deployment by its place and name:
 * OSTree follows any link from the initramfs and boots what it finds there.
 */

import { type Detail, type ErrorCode, SealrootError } from "../errors/index.ts";
import { BENEATH, BENEATH_NO_LINKS, type Descriptor, ERRNO, isErrno, O, openAt, readLink, statAt } from "../linux/index.ts";

export interface DeploymentName {
  /** The name of the group of deployments that share /var. */
  readonly stateroot: string;
  /** 64 hex digits. */
  readonly commit: string;
  readonly serial: number;
}

export interface Deployment extends DeploymentName, Disposable {
  readonly directory: Descriptor;
  /** Of the directory, below the physical root. */
  readonly path: string;
}

/** The place and the name of a deployment. @returns undefined for every other path. Pure */
export function parseDeploymentPath(path: string): DeploymentName | undefined {
  const [, stateroot, commit, serial] = /^ostree\/deploy\/([^/]+)\/deploy\/([0-9a-f]{64})\.(0|[1-9][0-9]{0,8})$/.exec(path) ?? [];
  if (stateroot === undefined || commit === undefined || serial === undefined || stateroot === "." || stateroot === "..") return undefined;
  return { stateroot, commit, serial: Number(serial) };
}

/** EXDEV: out of the physical root; ELOOP: a link where none may be; ENOTDIR: a file. */
const isMisplaced = (error: unknown): boolean => isErrno(error, ERRNO.EXDEV, ERRNO.ELOOP, ERRNO.ENOTDIR);

function refuse(code: ErrorCode, details: readonly Detail[], cause?: unknown): SealrootError {
  return new SealrootError(code, { details, ...(cause === undefined ? {} : { cause }) });
}

/** @param target below the physical root @throws SealrootError SR-E240 when there is none, SR-E241 when it is somewhere else */
export function findDeployment(sysroot: Descriptor, argument: string, target: string | undefined): Deployment {
  if (target === undefined || target === "") throw refuse("SR-E240", [["argument", argument], ["found", "it names no path"]]);
  const details: Detail[] = [["argument", argument], ["path", `${sysroot.label}/${target}`]];
  try {
    using link = openAt(sysroot, target, O.PATH | O.NOFOLLOW, BENEATH);
    const { type } = statAt(link);
    if (type !== "symbolic link") throw refuse("SR-E241", [...details, ["found", `a ${type}, where OSTree has a link to the deployment`]]);
    using directory = openAt(sysroot, target, O.RDONLY | O.DIRECTORY, BENEATH);
    const path = pathBelow(sysroot, directory);
    const name = path === undefined ? undefined : parseDeploymentPath(path);
    if (path === undefined || name === undefined) {
      throw refuse("SR-E241", [...details, ["expected", "ostree/deploy/<name>/deploy/<commit>.<number>"], ["found", path ?? "another filesystem"]]);
    }
    // by its own name from now on, each part of it a plain directory
    const plain = openAt(sysroot, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW, BENEATH_NO_LINKS);
    return { ...name, path, directory: plain, [Symbol.dispose]: () => plain.close() };
  } catch (error) {
    if (error instanceof SealrootError) throw error;
    throw refuse(isMisplaced(error) ? "SR-E241" : "SR-E240", details, error);
  }
}

/** Where an open directory is, below another one. @returns undefined when it is not below it */
function pathBelow(top: Descriptor, directory: Descriptor): string | undefined {
  const [from, to] = [readLink(top.path), readLink(directory.path)];
  const prefix = from === "/" ? "/" : `${from}/`;
  return to.startsWith(prefix) ? to.slice(prefix.length) : undefined;
}

/**
 * A directory that the deployment has on the physical root; what was opened here is what is mounted.
 * @throws SealrootError SR-E241 when it is a link or a file, SR-E306 when it is missing
 */
export function openDirectory(sysroot: Descriptor, path: string): Descriptor {
  try {
    return openAt(sysroot, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW, BENEATH_NO_LINKS);
  } catch (error) {
    throw refuse(isMisplaced(error) ? "SR-E241" : "SR-E306", [["path", `${sysroot.label}/${path}`]], error);
  }
}
