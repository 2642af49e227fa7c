/**
 * A composefs image whose objects are named and checked by SHA-512. The C mkcomposefs only knows SHA-256, so this one is made
 * by mkfs.erofs from a tree of stand-ins: each file of more than 64 bytes is replaced by a hole of the same size with the two
 * attributes by which overlayfs finds and checks the data. That is what a composefs image holds; only the bytes of the EROFS
 * layout differ from those that composefs-rs would write, and the digest covers those that are there.
 * Source: Linux Documentation/filesystems/overlayfs.rst ("fs-verity support") and fs/overlayfs/overlayfs.h (struct ovl_metacopy).
 */

import { constants, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fsverityDigest } from "../../../src/fsverity/index.ts";
import { addImage, metaJson, objectPath } from "./deployment.ts";
import { run } from "./run.ts";

/** Files up to this size lie in the image itself, as with mkcomposefs. */
const INLINE_LIMIT = 64;

const ALGORITHM = 2;

/** Makes `physical`/composefs from a tree, and returns the image's SHA-512 digest. `scratch` is a directory to work in. */
export async function sha512Repository(tree: string, physical: string, scratch: string): Promise<string> {
  const composefs = join(physical, "composefs");
  for (const folder of ["objects", "images", "streams/refs"]) mkdirSync(join(composefs, folder), { recursive: true });
  const shadow = join(scratch, "stand-ins");
  await run(["cp", "-a", "--attributes-only", tree, shadow]);
  const attributes: string[] = [];
  for (const name of regularFiles(tree)) {
    const [from, to] = [join(tree, name), join(shadow, name)];
    const stat = lstatSync(from);
    if (stat.size <= INLINE_LIMIT) {
      writeFileSync(to, readFileSync(from));
    } else {
      const digest = fsverityDigest(readFileSync(from), "sha512");
      const object = objectPath(digest.toHex());
      const stored = join(composefs, object);
      mkdirSync(dirname(stored), { recursive: true });
      if (!existsSync(stored)) copyFileSync(from, stored, constants.COPYFILE_FICLONE);
      truncateSync(to, stat.size);
      const metacopy = Uint8Array.of(0, 4 + digest.length, 0, ALGORITHM, ...digest);
      const redirect = Buffer.from(object.slice("objects".length)).toString("hex");
      attributes.push(`# file: ${escaped(name)}\ntrusted.overlay.metacopy=0x${metacopy.toHex()}\ntrusted.overlay.redirect=0x${redirect}\n`);
    }
    utimesSync(to, stat.atime, stat.mtime);
  }
  await run(["setfattr", "--restore=-"], { cwd: shadow, input: attributes.join("\n") });
  const image = join(scratch, "image");
  await run(["mkfs.erofs", "--quiet", "--chunksize=4096", "-U5ea1ed00-0000-4000-8000-000000000000", image, shadow]);
  rmSync(shadow, { recursive: true });
  const digest = fsverityDigest(readFileSync(image), "sha512").toHex();
  addImage(physical, image, digest);
  writeFileSync(join(composefs, "meta.json"), metaJson("sha512"));
  return digest;
}

/** Paths below `top`, links not followed. */
function* regularFiles(top: string, folder = ""): Generator<string> {
  for (const entry of readdirSync(join(top, folder), { withFileTypes: true })) {
    const name = join(folder, entry.name);
    if (entry.isDirectory()) yield* regularFiles(top, name);
    else if (entry.isFile()) yield name;
  }
}

/** Names as setfattr reads them: backslash and what could end a line as octal numbers. */
const escaped = (name: string): string => name.replace(/[\\\n\r]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`);
