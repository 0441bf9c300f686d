/** `sallyport demo`: a server, two customers, real money movements, and every step of the method on the screen. */

import { DemoFailure, Stage } from '../demo/stage.ts';
import { tellStory } from '../demo/story.ts';
import { EXIT } from '../exit-codes.ts';
import { onAction, type Register, withExamples } from '../invocation.ts';
import { nextCommand } from '../next-command.ts';
import { CommandError } from '../output.ts';

interface Options {
  readonly keep?: true;
}

export const registerDemo: Register = (parent, invocation) => {
  const demo = parent
    .command('demo')
    .description('show every step of the method, as it happens on the wire between real processes')
    .option('--keep', 'keep the state directory, customer files and log of the demo');
  withExamples(demo, [['sallyport demo', 'a few seconds; nothing stays behind']]);
  onAction<Options>(demo, invocation, async (_args, options, output) => {
    const keep = options.keep === true;
    const stage = await Stage.open().catch((error: unknown) => failed(error, 'Name another place in TMPDIR.'));
    const interrupted = (): void => {
      stage.close(keep).finally(() => process.exit(EXIT.INTERRUPTED));
    };
    process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
    try {
      await tellStory(stage, output);
      if (keep) output.line(`Kept: ${stage.directory}`);
      else output.line(`Nothing stays behind. Next, a server of your own: ${nextCommand(['serve'])}`);
    } catch (error) {
      failed(
        error,
        keep ? `${stage.path('server.log')} says more.` : 'Run it again with --keep, and look at server.log.',
      );
    } finally {
      process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
      await stage.close(keep);
    }
  });
};

/** Names the step that did not come true. */
function failed(error: unknown, advice: string): never {
  if (!(error instanceof DemoFailure)) throw error;
  throw new CommandError('DEMO_FAILED', EXIT.REFUSED, `the demo failed at ${error.message}`, advice);
}
