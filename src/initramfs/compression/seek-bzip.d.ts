/** The part of seek-bzip that is used; the package has no types of its own. */
declare module "seek-bzip" {
  interface ByteSource {
    /** The next byte. */
    readByte(): number;
    /** Fills `length` bytes of `buffer`; returns how many it got. */
    read(buffer: Uint8Array, offset: number, length: number): number;
  }
  interface ByteSink {
    writeByte(byte: number): void;
  }
  const Bunzip: {
    /** Decodes one stream. @throws TypeError with `errorCode` when the data is broken */
    decode(input: ByteSource, output: ByteSink, multistream?: boolean): void;
  };
  export default Bunzip;
}
