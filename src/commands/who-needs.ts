/** Who needs an image or a stream of a repository. */

import type { Deployed } from "../deployments/index.ts";
import type { RepositoryContents } from "../repository/contents.ts";
import type { LinkFindings } from "../repository/fsck-links.ts";

/**
 * @param naming streams that name an image or a stream
 * @returns for the path of an image or a stream: deployments, boot entries and mounts, references, and streams that name it, with all that
 * need those
 */
export function whoNeeds(contents: RepositoryContents, naming: LinkFindings["named"], deployed: Deployed): (path: string) => string[] {
  const categories = [contents.category("images"), contents.category("streams")];
  const references = categories.flatMap((category) => category.references);
  const ids = new Map(categories.flatMap(({ links }) => links.map(({ path, id }) => [path, id?.toHex()])));
  const known = new Map<string, string[]>();
  return (start) => {
    const before = known.get(start);
    if (before !== undefined) return before;
    const found = new Set<string>();
    const waiting = [start];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const [category, name] = [path.slice(0, path.indexOf("/")), path.slice(path.indexOf("/") + 1)];
      const id = ids.get(path) ?? name;
      if (category === "images") for (const { by } of deployed.images.filter(({ digest }) => digest === name || digest === id)) found.add(by);
      for (const reference of references) if (reference.category === category && reference.entry === name) found.add(reference.path);
      for (const stream of naming.get(id) ?? []) {
        if (found.has(stream) || stream === start) continue;
        found.add(stream);
        waiting.push(stream);
      }
    }
    const names = [...found];
    known.set(start, names);
    return names;
  };
}
