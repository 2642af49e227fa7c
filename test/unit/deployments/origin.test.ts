/** bootc's record of a deployment, as bootc writes it and as it reads it. */

import { expect, test } from "bun:test";
import { manifestStream } from "../../../src/deployments/origin.ts";

const D = `sha256:${"d".repeat(64)}`;

test("the manifest of the section image", () => {
  expect(manifestStream(`[origin]\ncontainer-image-reference = ostree-unverified-image:docker://x/y:latest\n\n[boot]\nboot_type = bls\ndigest = ${"1".repeat(64)}\n\n[image]\nmanifest_digest = ${D}\n`)).toBe(`oci-manifest-${D}`);
  expect(manifestStream(`  [image]  # x\r\n  manifest_digest=${D} ; y\r\n`)).toBe(`oci-manifest-${D}`);
});

test("none: another section, a comment, another kind of digest, nothing", () => {
  for (const text of [`[boot]\nmanifest_digest = ${D}\n`, `[image]\n# manifest_digest = ${D}\n`, `[image]\nmanifest_digest = sha512:${"d".repeat(128)}\n`, `[image]\nmanifest_digest = ../${D}\n`, ""]) expect(manifestStream(text), text).toBeUndefined();
});
