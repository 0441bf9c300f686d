/** A straight line through points, by least squares. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface LineFit {
  readonly slope: number;
  readonly intercept: number;
  /** The farthest that a point lies from the line, as a share of the rise over all points: above a tenth or so, it is no line. */
  readonly deviation: number;
}

/** Needs two points of different x. */
export function fitLine(points: readonly Point[]): LineFit {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const spread = mean(({ x }) => (x - meanX) ** 2);
  if (!(spread > 0)) throw new Error('a line needs two points of different x');
  const slope = mean(({ x, y }) => (x - meanX) * (y - meanY)) / spread;
  const intercept = meanY - slope * meanX;
  const xs = points.map(({ x }) => x);
  const rise = Math.abs(slope) * (Math.max(...xs) - Math.min(...xs));
  const farthest = Math.max(...points.map(({ x, y }) => Math.abs(y - intercept - slope * x)));
  return { slope, intercept, deviation: farthest === 0 ? 0 : farthest / rise };
}
