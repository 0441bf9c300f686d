/**
 * Executed WebAssembly operations of one call into the core, by instrumenting the module with Binaryen: a counter is raised on entry
 * to every function, loop turn and branch arm by the number of operations that stand there. It is the same on every machine and in every
 * run, so a kernel that does more work is caught exactly, however noisy the clock.
 */

// The one that assemblyscript brings, which wrote these modules: a version of our own could read them differently.
import binaryen from 'binaryen';
import { assert } from '../../../src/errors.ts';

/** Setters of expressions, which the package has and its types leave out. */
const {
  Function: FunctionRef,
  Loop,
  If,
} = binaryen as unknown as {
  readonly Function: { setBody(ref: Ref, body: Ref): void };
  readonly Loop: { setBody(ref: Ref, body: Ref): void };
  readonly If: { setIfTrue(ref: Ref, arm: Ref): void; setIfFalse(ref: Ref, arm: Ref): void };
};

const COUNTER = 'executedOperations';

/** The module with its counter, exported as a function `executedOperations` that gives it and clears it; doubles count exactly up to 2^53. */
export function instrument(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const module = binaryen.readBinary(bytes);
  module.setFeatures(binaryen.Features.All);
  module.addGlobal(COUNTER, binaryen.f64, true, module.f64.const(0));
  for (let index = 0; index < module.getNumFunctions(); index += 1) {
    const ref = module.getFunctionByIndex(index);
    const info = binaryen.getFunctionInfo(ref);
    if (info.module !== '') continue;
    const walk = new Walk(module);
    const count = walk.region(info.body);
    FunctionRef.setBody(ref, walk.counted(info.body, count));
  }
  const read = module.block(
    null,
    [
      module.local.set(0, module.global.get(COUNTER, binaryen.f64)),
      module.global.set(COUNTER, module.f64.const(0)),
      module.local.get(0, binaryen.f64),
    ],
    binaryen.f64,
  );
  module.addFunction(COUNTER, binaryen.none, binaryen.f64, [binaryen.f64], read);
  module.addFunctionExport(COUNTER, COUNTER);
  assert(module.validate() === 1, 'the instrumented module is valid');
  const binary = Uint8Array.from(module.emitBinary());
  module.dispose();
  return binary;
}

type Module = ReturnType<typeof binaryen.readBinary>;
type Ref = number;

/** The operands of every kind of expression that the core's compiler emits. */
const OPERANDS: Readonly<Record<number, readonly string[]>> = {
  [binaryen.BlockId]: ['children'],
  [binaryen.BreakId]: ['value', 'condition'],
  [binaryen.SwitchId]: ['value', 'condition'],
  [binaryen.CallId]: ['operands'],
  [binaryen.CallIndirectId]: ['target', 'operands'],
  [binaryen.LocalGetId]: [],
  [binaryen.LocalSetId]: ['value'],
  [binaryen.GlobalGetId]: [],
  [binaryen.GlobalSetId]: ['value'],
  [binaryen.LoadId]: ['ptr'],
  [binaryen.StoreId]: ['ptr', 'value'],
  [binaryen.ConstId]: [],
  [binaryen.UnaryId]: ['value'],
  [binaryen.BinaryId]: ['left', 'right'],
  [binaryen.SelectId]: ['ifTrue', 'ifFalse', 'condition'],
  [binaryen.DropId]: ['value'],
  [binaryen.ReturnId]: ['value'],
  [binaryen.NopId]: [],
  [binaryen.UnreachableId]: [],
  [binaryen.MemorySizeId]: [],
  [binaryen.MemoryGrowId]: ['delta'],
  [binaryen.MemoryCopyId]: ['dest', 'source', 'size'],
  [binaryen.MemoryFillId]: ['dest', 'value', 'size'],
  [binaryen.SIMDExtractId]: ['vec'],
  [binaryen.SIMDReplaceId]: ['vec', 'value'],
  [binaryen.SIMDShuffleId]: ['left', 'right'],
  [binaryen.SIMDTernaryId]: ['a', 'b', 'c'],
  [binaryen.SIMDShiftId]: ['vec', 'shift'],
  [binaryen.SIMDLoadId]: ['ptr'],
  [binaryen.SIMDLoadStoreLaneId]: ['ptr', 'vec'],
};

class Walk {
  readonly #module: Module;

  constructor(module: Module) {
    this.#module = module;
  }

  /** Operations of an expression without those of the loops and branch arms in it, which get counters of their own. */
  region(ref: Ref): number {
    const id = binaryen.getExpressionId(ref);
    // Of expressions without operands Binaryen has no information to give.
    const info = (OPERANDS[id]?.length === 0 ? {} : binaryen.getExpressionInfo(ref)) as Record<
      string,
      Ref | readonly Ref[]
    >;
    if (id === binaryen.LoopId) {
      const body = info.body as Ref;
      Loop.setBody(ref, this.counted(body, this.region(body)));
      return 1;
    }
    if (id === binaryen.IfId) {
      const ifTrue = info.ifTrue as Ref;
      If.setIfTrue(ref, this.counted(ifTrue, this.region(ifTrue)));
      const ifFalse = info.ifFalse as Ref;
      if (ifFalse !== 0) If.setIfFalse(ref, this.counted(ifFalse, this.region(ifFalse)));
      return 1 + this.region(info.condition as Ref);
    }
    const operands = OPERANDS[id];
    assert(operands !== undefined, `expression kind ${id} is counted`);
    let count = id === binaryen.BlockId || id === binaryen.NopId ? 0 : 1;
    for (const name of operands) {
      const operand = info[name]!;
      for (const child of typeof operand === 'number' ? [operand] : operand)
        if (child !== 0) count += this.region(child);
    }
    return count;
  }

  counted(ref: Ref, count: number): Ref {
    const module = this.#module;
    const raised = module.f64.add(module.global.get(COUNTER, binaryen.f64), module.f64.const(count));
    return module.block(null, [module.global.set(COUNTER, raised), ref], binaryen.getExpressionType(ref));
  }
}
