// From concentrations to what an image shows, and how well two images agree (odil.md, sections 7.1, 7.4 and 7.6).
import type { Volume } from './volume';

/** Labels of the BraTS data: 0 healthy, 1 enhancing core, 3 oedema, 4 necrotic core. */
export const brats = {
  /** Enhancing core. */ enhancing: 1,
  /** Oedema. */ oedema: 3,
  /** Necrotic core. */ necrotic: 4,
} as const;

/** Classes of the model: 0 healthy, 1 oedema, 2 core. */
export const classes = {
  /** Oedema. */
  oedema: 1,
  /** Core. */
  core: 2,
} as const;

/** Concentrations from which a voxel is oedema, core, necrotic. */
export interface Thresholds {
  /** Label 3 from here on. */
  oedema: number;
  /** Label 1 from here on. */
  core: number;
  /** Label 4 from here on. */
  necrotic: number;
}

/** BraTS labels of a concentration. */
export function bratsLabels(concentration: Volume, { oedema, core, necrotic }: Thresholds): Volume {
  const values = concentration.values.map((u) => {
    if (u >= necrotic) return brats.necrotic;
    if (u >= core) return brats.enhancing;
    return u >= oedema ? brats.oedema : 0;
  });
  return { shape: concentration.shape, values };
}

/** The model's classes from BraTS labels. */
export function classesOf(labels: Volume): Volume {
  const values = labels.values.map((label) => {
    if (label === brats.oedema) return classes.oedema;
    return label === brats.enhancing || label === brats.necrotic ? classes.core : 0;
  });
  return { shape: labels.shape, values };
}

/** The model's classes of a concentration. */
export function segment(concentration: Float64Array, thresholds: { oedema: number; core: number }): Float64Array {
  return concentration.map((u) => {
    if (u >= thresholds.core) return classes.core;
    return u >= thresholds.oedema ? classes.oedema : 0;
  });
}

/** Least and greatest concentration that a class allows. */
export function allowedRange(
  of: number,
  thresholds: { oedema: number; core: number },
): {
  /** Smallest concentration. */
  least: number;
  /** Largest one. */
  most: number;
} {
  if (of === classes.core) return { least: thresholds.core, most: 1 };
  if (of === classes.oedema) return { least: thresholds.oedema, most: thresholds.core };
  return { least: 0, most: thresholds.oedema };
}

/** Dice coefficient of the voxels where both hold `value`: 2 |A and B| / (|A| + |B|), 1 where neither has any. */
export function dice(a: ArrayLike<number>, b: ArrayLike<number>, value: number): number {
  let [both, total] = [0, 0];
  for (let i = 0; i < a.length; i += 1) {
    const [inA, inB] = [a[i] === value, b[i] === value];
    if (inA && inB) both += 1;
    total += Number(inA) + Number(inB);
  }
  return total === 0 ? 1 : (2 * both) / total;
}
