// What a recogniser is worth: the text it reads, how wrong that is, and how far its distributions moved.
'use strict';

/** Best class per position, repeats merged, blanks (class 0) dropped: the text, trimmed. */
function decode({ data, shape }, characters) {
  const classes = shape[shape.length - 1];
  let text = '';
  let previous = 0;
  for (let start = 0; start < data.length; start += classes) {
    let best = 0;
    for (let k = 1; k < classes; ++k) if (data[start + k] > data[start + best]) best = k;
    if (best !== 0 && best !== previous) text += characters[best];
    previous = best;
  }
  return text.trim();
}

/** Insertions, deletions and substitutions that make `a` of `b`. */
function editDistance(a, b) {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; ++i) {
    const row = [i];
    for (let j = 1; j <= b.length; ++j) {
      row.push(Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    previous = row;
  }
  return previous[b.length];
}

/**
 * The text that was read, in pieces { text, right }: right where it belongs to a longest subsequence that it shares with
 * the truth; an empty piece stands where characters are missing and no others are in their place.
 */
function readingInPieces(truth, read) {
  const [a, b] = [Array.from(truth), Array.from(read)];
  // longest[i][j]: of a from i on and b from j on
  const longest = Array.from({ length: a.length + 1 }, () => new Int32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; --i) {
    for (let j = b.length - 1; j >= 0; --j) {
      longest[i][j] = a[i] === b[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const pieces = [];
  const add = (text, right) => {
    if (pieces.at(-1)?.right === right) pieces.at(-1).text += text;
    else pieces.push({ text, right });
  };
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && a[i] === b[j]) {
      add(b[j], true);
      ++i;
      ++j;
    } else if (j === b.length || (i < a.length && longest[i + 1][j] >= longest[i][j + 1])) {
      add('', false);
      ++i;
    } else {
      add(b[j], false);
      ++j;
    }
  }
  return pieces;
}

/** Edit distance of all lines over their length. */
function characterErrorRate(truth, read) {
  const letters = truth.map((text) => Array.from(text));
  const errors = letters.reduce((sum, text, i) => sum + editDistance(text, Array.from(read[i])), 0);
  return errors / letters.reduce((sum, { length }) => sum + length, 0);
}

/** Mean over the positions of KL(reference || other) in nats, in float64; probabilities below 1e-12 count as that. */
function divergence(reference, other) {
  const classes = reference.shape[reference.shape.length - 1];
  let sum = 0;
  for (let i = 0; i < reference.data.length; ++i) {
    const p = reference.data[i];
    if (p > 0) sum += p * Math.log(Math.max(p, 1e-12) / Math.max(other.data[i], 1e-12));
  }
  return sum / (reference.data.length / classes);
}

module.exports = { characterErrorRate, decode, divergence, editDistance, readingInPieces };
