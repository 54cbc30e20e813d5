// Reading of foreign bytes: every length is checked before it is used, and whatever is wrong is one kind of error.
import fs from 'node:fs';
import { type ErrorDetails, makeError } from '../runtime/errors';

/** The error of a file or buffer that is not what it should be (`ERR_INVALID_FORMAT`). @internal */
export function invalidFormat(argument: string, message: string, cause?: unknown): Error & ErrorDetails {
  return makeError('ERR_INVALID_FORMAT', argument, message, cause === undefined ? undefined : { cause });
}

/** Bytes that can be read by offset, wherever they lie. @internal */
export interface ByteSource {
  /** Total number of bytes. */
  readonly byteLength: number;
  /** A copy of `length` bytes from `offset`; the caller has checked both against `byteLength`. */
  read(offset: number, length: number): Uint8Array;
  /** Lets go of the file; reading afterwards throws. */
  close(): void;
}

/** Bytes in memory. @internal */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    byteLength: bytes.byteLength,
    // A new buffer, so that views of wider types are always aligned.
    read: (offset, length) => new Uint8Array(bytes.subarray(offset, offset + length)),
    close: () => undefined,
  };
}

/** A file, read piecewise. @internal */
export function fileSource(file: string): ByteSource {
  let handle: number | undefined = fs.openSync(file, 'r');
  const { size } = fs.fstatSync(handle);
  return {
    byteLength: size,
    read(offset, length) {
      if (handle === undefined) throw makeError('ERR_DISPOSED', 'file', `\`${file}\` has been closed`);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        // One read call of the system moves at most 2 GiB.
        const got = fs.readSync(handle, bytes, done, Math.min(length - done, 2 ** 30), offset + done);
        if (got === 0) throw invalidFormat('file', `\`${file}\` became shorter while it was read`);
        done += got;
      }
      return bytes;
    },
    close() {
      if (handle !== undefined) fs.closeSync(handle);
      handle = undefined;
    },
  };
}
