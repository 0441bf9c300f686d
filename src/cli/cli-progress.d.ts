/** The part of cli-progress 3 (which ships no types) that the command line uses. */
declare module 'cli-progress' {
  export interface Options {
    readonly format?: string;
    readonly barsize?: number;
    readonly barCompleteChar?: string;
    readonly barIncompleteChar?: string;
    readonly hideCursor?: boolean;
    readonly gracefulExit?: boolean;
    readonly stream?: NodeJS.WritableStream;
    readonly fps?: number;
  }
  export class SingleBar {
    constructor(options: Options);
    start(total: number, startValue: number, payload?: Readonly<Record<string, unknown>>): void;
    update(current: number, payload?: Readonly<Record<string, unknown>>): void;
    stop(): void;
  }
}
