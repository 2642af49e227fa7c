/** Which images boot entries name. Entries as bootc, composefs-rs and kernel-install write them. */

import { describe, expect, test } from "bun:test";
import { bootEntryImages, imageOfFileName, loadOptionImages, menuImages } from "../../../src/deployments/boot-entries.ts";

const [A, B] = ["a".repeat(128), "b".repeat(128)];
const C = "c".repeat(64);

describe("entries of the Boot Loader Specification", () => {
  test("bootc's, with a kernel that another deployment brought", () => {
    const entry = `title Fedora Linux 42\nversion 42\nlinux /boot/bootc_composefs-${B}/vmlinuz\ninitrd /boot/bootc_composefs-${B}/initrd\noptions root=UUID=1 rw composefs=?${A}\nsort-key bootc-fedora-0\n`;
    expect(bootEntryImages(entry)).toEqual({ images: [A], kernels: [], unknown: [] });
  });
  test("a unified kernel image by its name", () => {
    expect(bootEntryImages(`title x\nversion 1\nuki /EFI/Linux/bootc/bootc_composefs-${A}.efi\n`)).toEqual({ images: [A], kernels: [`/EFI/Linux/bootc/bootc_composefs-${A}.efi`], unknown: [] });
    expect(bootEntryImages("efi\t/EFI/Linux/mine.efi\n").kernels).toEqual(["/EFI/Linux/mine.efi"]);
  });
  test("several options lines, several digests, tabs and comments", () => {
    expect(bootEntryImages(`# options composefs=${B}\noptions\tquiet composefs.digest=v1-sha256-12:${C.toUpperCase()}\n options composefs.digest=v2-sha512-12:${A}\n`).images).toEqual([C, A]);
  });
  test("a directory counts where nothing else tells", () => {
    expect(bootEntryImages(`linux /bootc_composefs-${A}/vmlinuz\noptions ro\n`).images).toEqual([A]);
    expect(bootEntryImages("linux /vmlinuz\noptions root=/dev/sda1\n")).toEqual({ images: [], kernels: ["/vmlinuz"], unknown: [] });
  });
  test("an addon, a quote that hides an argument from one reader and not from the next, a name with attempts", () => {
    expect(bootEntryImages(`linux /v\noptions composefs=${C}\nextra /a/b.addon.efi\nextra /c.cred\n`)).toEqual({ images: [C], kernels: ["/a/b.addon.efi"], unknown: [] });
    expect(bootEntryImages(`linux /v\noptions root="x composefs=${C}\n`).images).toEqual([C]);
    expect(bootEntryImages(`uki /EFI/Linux/bootc_composefs-${A}+2-1.efi\n`).images).toEqual([A]);
  });
  test("an argument of a later version is not passed over, one that boots nothing is", () => {
    expect(bootEntryImages(`options composefs.digest=v3-blake3-12:${C} composefs=off\n`)).toEqual({ images: [], kernels: [], unknown: [`composefs.digest=v3-blake3-12:${C}`] });
  });
});

describe("menus of GRUB", () => {
  test("bootc's user.cfg", () => {
    const menu = [A, B].map((digest) => `menuentry "Fedora 42: (${digest})" {\ninsmod fat\nsearch --no-floppy --set=root --fs-uuid "\${EFI_PART_UUID}"\nchainloader /EFI/Linux/bootc/bootc_composefs-${digest}.efi\n}\n`).join("");
    expect(menuImages(menu).images).toEqual([A, B]);
  });
  test("a plain grub.cfg", () => {
    expect(menuImages(`menuentry 'x' {\n\tlinux\t/vmlinuz root=LABEL=r composefs.digest=v1-sha256-12:${C} quiet\n\tinitrd /i\n}\n`).images).toEqual([C]);
    expect(menuImages("set default=0\n")).toEqual({ images: [], kernels: [], unknown: [] });
  });
});

test("kernels that menus start: with a device, in quotes, with backslashes, by rEFInd; not blocks, not what has a variable", () => {
  const menu = "chainloader (hd0,gpt1)/EFI/Linux/a.efi\nchainloader \"/EFI/b c.efi\" x\nloader \\EFI\\c.efi\nchainloader +1\nchainloader (hd0)+1\nchainloader $root/d.efi\n";
  expect(menuImages(menu).kernels).toEqual(["/EFI/Linux/a.efi", "/EFI/b c.efi", "/EFI/c.efi"]);
});

test("boot options of the firmware: command lines in either encoding, at any alignment", () => {
  const option = (text: string, encoding: "utf16le" | "latin1", before: number): Uint8Array => new Uint8Array(Buffer.concat([new Uint8Array(before), Buffer.from("Linux\0", "utf16le"), Buffer.from(text, encoding), Uint8Array.of(0, 0, 0x7f, 0xff)]));
  for (const encoding of ["utf16le", "latin1"] as const) {
    for (const before of [10, 11]) expect(loadOptionImages(option(`root=x composefs=${C} quiet`, encoding, before)).images).toEqual([C]);
  }
  expect(loadOptionImages(new Uint8Array(0))).toEqual({ images: [], kernels: [], unknown: [] });
});

describe("arguments in menus", () => {
  const argument = `composefs.digest=v1-sha256-12:${C}`;
  for (const text of [`set kernelopts="root=/dev/sda1 ${argument} "\n`, `kernelopts=root=x ${argument} ro\n####`, `kernelopts=root=x \\\n${argument}\n`, `APPEND rw ${argument}`, `linux ($root)/v a="b\\"" ${argument}`, `linux /v '${argument}'`]) {
    test(JSON.stringify(text), () => expect(menuImages(text).images).toEqual([C]));
  }
  test("made of variables are not known", () => {
    expect(menuImages("linux /v composefs.digest=v1-sha256-12:${digest}\n").unknown).not.toEqual([]);
    expect(menuImages('linux /v composefs=$digest"\n').unknown).toEqual(["composefs=$digest"]);
  });
  test("a name that is put together", () => expect(menuImages(`set kernel=bootc_composefs-${A}.efi\nchainloader $prefix/$kernel\n`)).toEqual({ images: [A], kernels: [], unknown: [] }));
});

test("a command line that is too long to be read is not passed over", () => {
  expect(bootEntryImages(`options ${"x ".repeat(2 ** 20)} composefs=${A}\n`).unknown.length).toBe(1);
});

test("lines of blanks alone take no time", () => {
  const blanks = " ".repeat(2 ** 20);
  expect(bootEntryImages(`options${blanks}x${blanks}y\n${blanks}`).images).toEqual([]);
  expect(menuImages(`linux${blanks}x${blanks}y\nchainloader${blanks}x${blanks}\n`).images).toEqual([]);
}, 4000);

test("file names", () => {
  expect([`bootc_composefs-${A}.efi`, `/EFI/Linux/${C}.efi`, `/boot/${A}`, "linux.efi", `${A}0.efi`, `x${C}.efi`].map(imageOfFileName)).toEqual([A, C, A, undefined, undefined, undefined]);
});
