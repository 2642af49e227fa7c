/** bootc's record of a deployment, `state/deploy/<digest>/<digest>.origin`: what it was made of. Pure. Source: bootc, and tini, which it is read with. */

/**
 * The stream that holds the OCI manifest of the deployment's container image; undefined where the record names none. bootc opens it for every
 * deployment, whether a tag keeps it or not.
 * @param text of the file: `[section]`, `key = value`, comments from `;` or `#` on
 */
export function manifestStream(text: string): string | undefined {
  let section = "";
  let found: string | undefined;
  for (const line of text.split("\n")) {
    const plain = line.replace(/[;#].*$/s, "").trim();
    const name = /^\[(.*)\]$/.exec(plain)?.[1];
    if (name !== undefined) section = name.trim();
    else if (section === "image") found = /^manifest_digest\s*=\s*(sha256:[0-9a-f]{64})$/.exec(plain)?.[1] ?? found;
  }
  return found === undefined ? undefined : `oci-manifest-${found}`;
}
