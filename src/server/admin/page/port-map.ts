/**
 * The map of second ports. `createPortMap` runs in the browser: its source is put into the page as it stands, so it refers to nothing
 * outside itself but its parameter.
 */

import type { Browser, PageCanvas } from './browser.ts';

export interface PortMap {
  /** `map`: runs of states, "f120l1"; `first`: the number of the first port, null when the system chooses them. */
  update(map: string, first: number | null): void;
  redraw(): void;
  /** What is known of a port, in words. */
  describe(port: number): string;
}

export function createPortMap(browser: Browser): PortMap {
  const { document } = browser;
  const canvas = document.getElementById('port-map') as PageCanvas;
  const under = document.getElementById('port-under')!;
  const words: Record<string, string> = { f: 'free', l: 'leased', q: 'in quarantine' };
  // Where several ports share a square, the rarer state is the one to see.
  const rank: Record<string, number> = { f: 0, l: 1, q: 2 };
  const SQUARES_MAX = 20_000;
  const state = { ports: '', first: null as number | null, columns: 1, size: 1, each: 1 };

  const colour = (name: string): string =>
    browser.getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const expand = (map: string): string =>
    map.replace(/([flq])(\d+)/g, (_, letter: string, count: string) => letter.repeat(Number(count)));

  const stateOf = (square: number): string => {
    let worst = 'f';
    for (const port of state.ports.slice(square * state.each, (square + 1) * state.each))
      if (rank[port]! > rank[worst]!) worst = port;
    return worst;
  };

  const redraw = (): void => {
    const count = state.ports.length;
    const width = canvas.clientWidth;
    if (count === 0 || width === 0) return;
    state.each = Math.ceil(count / SQUARES_MAX);
    const squares = Math.ceil(count / state.each);
    // Squares as large as a block of about 2.6 to 1 allows, within what an eye can tell apart.
    state.size = Math.max(3, Math.min(18, Math.floor(Math.sqrt((width * width) / 2.6 / squares))));
    state.columns = Math.max(1, Math.floor(width / state.size));
    const height = Math.ceil(squares / state.columns) * state.size;
    const ratio = browser.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
    const drawing = canvas.getContext('2d');
    drawing.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawing.clearRect(0, 0, width, height);
    const gap = state.size > 5 ? 2 : 1;
    const colours: Record<string, string> = { f: colour('--free'), l: colour('--leased'), q: colour('--quarantined') };
    for (let square = 0; square < squares; square++) {
      const is = stateOf(square);
      drawing.fillStyle = colours[is]!;
      const x = (square % state.columns) * state.size;
      const y = Math.floor(square / state.columns) * state.size;
      drawing.fillRect(x, y, state.size - gap, state.size - gap);
    }
  };

  const describe = (port: number): string => {
    if (state.first === null) return 'The system chooses these ports: they have no fixed numbers.';
    const is = state.ports[port - state.first];
    return is === undefined ? `Port ${port} is not in the range.` : `Port ${port} is ${words[is]}.`;
  };

  canvas.addEventListener('pointermove', ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((clientX - box.left) / state.size);
    const square = Math.floor((clientY - box.top) / state.size) * state.columns + column;
    const index = square * state.each;
    if (column >= state.columns || index < 0 || index >= state.ports.length) under.textContent = '';
    else if (state.first === null)
      under.textContent = `Port ${index + 1} of ${state.ports.length}: ${words[state.ports[index]!]}`;
    else if (state.each === 1) under.textContent = describe(state.first + index);
    else
      under.textContent = `Ports ${state.first + index} to ${state.first + index + state.each - 1}: ${words[stateOf(square)]}`;
  });
  canvas.addEventListener('pointerleave', () => {
    under.textContent = '';
  });

  return {
    update: (map, first) => {
      const ports = expand(map);
      state.first = first;
      if (ports === state.ports) return;
      state.ports = ports;
      redraw();
    },
    redraw,
    describe,
  };
}
