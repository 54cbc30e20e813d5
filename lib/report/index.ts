// Pictures of fields, volumes and runs: SVG, PNG and GIF text or bytes, nothing beside them.
export { type ColorMapName, colorTable } from './color-map';
export { contourLines, type Polyline } from './contours';
export { type ConvergenceCurve, convergencePlot, type ConvergencePlot } from './convergence';
export {
  type Animation,
  type Contours,
  type FieldPicture,
  heatMap,
  type HeatMap,
  heatMapGif,
  heatMapPng,
} from './heat-map';
export { type Range } from './picture';
export { linePlot, type Panel, type Plot, type Series } from './plot';
export { encodePng, type Pixels } from './png';
export { type VolumeContour, type VolumeSlices, volumeSlices } from './volume-slices';
