/** The few parts of a browser that the page's script uses: the project's types are Node's, and a page is no part of a server. */

export interface PageElement {
  id: string;
  hidden: boolean;
  textContent: string | null;
  className: string;
  value: string;
  max: string;
  open: boolean;
  readonly clientWidth: number;
  readonly style: Record<string, string>;
  readonly dataset: Record<string, string | undefined>;
  setAttribute(name: string, value: string): void;
  append(...children: PageElement[]): void;
  replaceChildren(...children: PageElement[]): void;
  addEventListener(type: string, listener: (event: PointerEventLike) => void): void;
  querySelector(selector: string): PageElement | null;
  getBoundingClientRect(): { readonly left: number; readonly top: number; readonly width: number };
}

export interface PointerEventLike {
  readonly clientX: number;
  readonly clientY: number;
  readonly data: string;
}

export interface PageCanvas extends PageElement {
  width: number;
  height: number;
  getContext(kind: '2d'): PageDrawing;
}

export interface PageDrawing {
  fillStyle: string;
  setTransform(a: number, b: number, c: number, d: number, e: number, f: number): void;
  clearRect(x: number, y: number, width: number, height: number): void;
  fillRect(x: number, y: number, width: number, height: number): void;
}

export interface Plot {
  readonly cursor: { readonly left?: number };
  setLegend(at: { readonly idx: number }): void;
  setData(data: readonly (readonly (number | null)[])[]): void;
  setSize(size: { readonly width: number; readonly height: number }): void;
  destroy(): void;
}

export interface Browser {
  readonly devicePixelRatio: number;
  readonly document: {
    readonly documentElement: PageElement;
    readonly hidden: boolean;
    title: string;
    getElementById(id: string): PageElement | null;
    createElement(name: string): PageElement;
  };
  getComputedStyle(element: PageElement): { getPropertyValue(name: string): string };
  matchMedia(query: string): { addEventListener(type: 'change', listener: () => void): void };
  addEventListener(type: 'resize', listener: () => void): void;
  readonly uPlot: new (options: object, data: readonly (readonly (number | null)[])[], into: PageElement) => Plot;
  readonly EventSource: new (url: string) => PageElement;
}
