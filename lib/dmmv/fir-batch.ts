// Many filters at once: a filter is too small to keep several threads busy, many filters are not.
import { native } from '../runtime/native';
import { runMembers } from '../runtime/run';
import { arrayOf, functionOf, object, optional, parse, type Schema } from '../runtime/validate';
import { designFir, type FirDesign, type FirOptions } from './fir';
import { type FirSpecification, firSpecification } from './fir-specification';
import { searchMembers } from './search';

/** Options of {@link designFirBatch}: those of `designFir` for each filter, `threads` for all of them together. */
export interface FirBatchOptions extends Omit<FirOptions, 'initial' | 'onProgress' | 'onAbort'> {
  /** Called when a filter is designed, in the order in which they end. An exception in it stops the batch. */
  onDesign?: (design: FirDesign, index: number) => void;
}

const checkedSpecification: Schema<FirSpecification> = (value, argument) => {
  firSpecification(value, argument);
  return value as FirSpecification;
};

/**
 * Designs many filters, each on one thread, as many at a time as there are threads. Each design is the one that `designFir`
 * makes of the same specification and options alone.
 *
 * @param specifications  see {@link FirSpecification}
 * @param options         see {@link FirBatchOptions}; limits hold for each filter
 * @returns               the designs, in the order of the specifications
 * @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARG_VALUE  a specification is not one, naming it and the member, before any work
 * Source: arXiv 2508.13437.
 */
export async function designFirBatch(
  specifications: readonly FirSpecification[],
  options: FirBatchOptions = {},
): Promise<FirDesign[]> {
  const checked = parse(specifications, 'specifications', arrayOf(checkedSpecification));
  const { onAbort: _, onProgress: _unused, ...members } = runMembers;
  const schema = object({
    ...members,
    ...searchMembers,
    onDesign: optional(functionOf<(design: FirDesign, index: number) => void>()),
  });
  const { threads, signal } = parse(options, 'options', schema);
  const { onDesign, ...each } = options;
  // What ends the batch ends the designs that are under way.
  const stop = new AbortController();
  const onAborted = (): void => stop.abort(signal?.reason);
  if (signal?.aborted === true) throw signal.reason;
  signal?.addEventListener('abort', onAborted, { once: true });
  const designs = new Array<FirDesign>(checked.length);
  const rest = checked.entries();
  const lane = async (): Promise<void> => {
    for (const [index, specification] of rest) {
      const design = await designFir(specification, { ...each, threads: 1, signal: stop.signal });
      designs[index] = design;
      onDesign?.(design, index);
    }
  };
  const lanes = Array.from({ length: Math.min(threads ?? native.buildInfo().threads, checked.length) }, lane);
  try {
    await Promise.all(lanes);
    return designs;
  } catch (reason) {
    stop.abort(reason);
    await Promise.allSettled(lanes);
    throw reason;
  } finally {
    signal?.removeEventListener('abort', onAborted);
  }
}
