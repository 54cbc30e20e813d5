// Lines of text whose content is known: drawn here, so there is no end of calibration and test data.
'use strict';
const path = require('node:path');
const { createCanvas, GlobalFonts } = require('@napi-rs/canvas');
const { randomNumbers } = require('./random.cjs');

const width = 320;
const height = 48;
const margin = 8;
const longest = 22; // characters

const words = (
  'about above across action after again against almost along already although always among another answer around ' +
  'asked balance basic beauty became because become before began behind being below between black board body book ' +
  'bottom branch bright brother brought build business carry castle center certain change check children choose ' +
  'circle city clear close cloud coast color column common complete consider contain correct could country course ' +
  'cover cross dance decide degree differ direct distant double during early earth east effect eight engine enough ' +
  'equal every exact example expect explain family famous father field figure final finger finish first floor follow ' +
  'forest forward found fresh friend front garden gather gentle glass gold govern grand great green ground group ' +
  'half happen harbor heart heavy history horse hour house hundred imagine inch island join journey jump kept kind ' +
  'king knew language large later laugh learn length letter level light listen little machine market measure middle ' +
  'minute modern moment money month morning mother motion mountain music natural nature never night north nothing ' +
  'notice number object ocean often open order other outside oxygen page paint paper part pattern people perhaps ' +
  'phrase picture piece place plain planet point position power present pretty problem produce proper provide quick ' +
  'quiet radio reach ready reason record region remember result river round sail science season second section seem ' +
  'sentence settle seven several shape shine short should silver simple single slow small smile snow sound south ' +
  'space special spring square station steel stone story street strong study sudden summer surface system table tail ' +
  'teach thing though thousand through together toward travel tree triangle true under until valley value vowel ' +
  'voyage water weather west wheel where white whole winter wonder world write yellow young zero'
).split(' ');

const fonts = ['DejaVuSans', 'DejaVuSerif', 'DejaVuSansMono'];
let registered = false;

function registerFonts() {
  if (registered) return;
  const folder = path.join(path.dirname(require.resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  for (const font of fonts) {
    if (GlobalFonts.registerFromPath(path.join(folder, `${font}.ttf`), `ocr ${font}`) === null) {
      throw new Error(`the font ${font} could not be read`);
    }
  }
  registered = true;
}

/** Words until one does not fit. */
function chooseText(context, random) {
  let text = '';
  for (;;) {
    const word = words[Math.floor(random() * words.length)];
    const next = text === '' ? word : `${text} ${word}`;
    if (next.length > longest || context.measureText(next).width > width - 2 * margin) return text;
    text = next;
  }
}

function drawLine(random) {
  const uniform = (low, high) => low + random() * (high - low);
  const whole = (low, high) => Math.floor(uniform(low, high + 1));
  const canvas = createCanvas(width, height);
  const context = canvas.getContext('2d');
  const background = whole(200, 255);
  context.fillStyle = `rgb(${background}, ${background}, ${background})`;
  context.fillRect(0, 0, width, height);
  context.font = `${whole(18, 31)}px "ocr ${fonts[whole(0, fonts.length - 1)]}"`;
  const text = chooseText(context, random);
  const ink = whole(0, 60);
  context.fillStyle = `rgb(${ink}, ${ink}, ${ink})`;
  context.textBaseline = 'middle';
  context.translate(width / 2, height / 2);
  context.rotate(uniform(-0.015, 0.015));
  context.fillText(text, margin - width / 2, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = width * height;
  const values = new Float32Array(3 * pixels);
  for (let pixel = 0; pixel < pixels; ++pixel) {
    const noise = whole(-12, 12); // grey: on coloured noise the model reads dashes into empty ends
    for (let channel = 0; channel < 3; ++channel) {
      // The model wants blue, green, red, from -1 to 1.
      const level = Math.min(255, Math.max(0, data[4 * pixel + 2 - channel] + noise));
      values[channel * pixels + pixel] = (level / 255 - 0.5) / 0.5;
    }
  }
  return { text, input: { data: values, shape: [1, 3, height, width] } };
}

/** What the model sees of a line, as a PNG file. */
function linePicture({ input: { data } }) {
  const canvas = createCanvas(width, height);
  const context = canvas.getContext('2d');
  const image = context.createImageData(width, height);
  const pixels = width * height;
  for (let pixel = 0; pixel < pixels; ++pixel) {
    for (let channel = 0; channel < 3; ++channel) {
      image.data[4 * pixel + 2 - channel] = Math.round((data[channel * pixels + pixel] * 0.5 + 0.5) * 255);
    }
    image.data[4 * pixel + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas.toBuffer('image/png');
}

/** `count` lines of one seed; the first lines of a longer list are the same. */
function drawLines({ count, seed }) {
  registerFonts();
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => drawLine(random));
}

module.exports = { drawLines, linePicture };
