import koffi, { type LibraryHandle } from 'koffi';

/**
 * One declarative table per native library gives both the koffi declarations and their TypeScript types:
 * `name: [result, ...arguments]`.
 */
export type NativeTable = Readonly<Record<string, readonly [string, ...string[]]>>;

/** Address of a native object. Whoever created it owns it; see each wrapper's `dispose`. */
export type Pointer = bigint & { readonly __native?: never };

interface JsTypes {
  void: undefined;
  bool: boolean;
  int: number;
  int32: number;
  uint32: number;
  /** koffi gives a number while it is exact, which every size and count here is. */
  int64: number;
  size_t: number;
  float: number;
  str: string;
  'void*': Pointer | null;
}
// Buffers are passed as typed arrays for the time of one call; structs by value are plain objects.
type Js<Type extends string> = Type extends keyof JsTypes
  ? JsTypes[Type]
  : Type extends `${string}*`
    ? ArrayBufferView | Pointer | null
    : Readonly<Record<string, unknown>>;
type Result<Type extends string> = Type extends 'void*'
  ? Pointer
  : Type extends keyof JsTypes
    ? JsTypes[Type]
    : Record<string, never>;
type Arguments<Types extends readonly string[]> = {
  [Index in keyof Types]: Types[Index] extends string ? Js<Types[Index]> : never;
};

export type NativeFunction<Row extends readonly [string, ...string[]]> = Row extends readonly [
  infer Returned extends string,
  ...infer Taken extends readonly string[],
]
  ? ((...args: Arguments<Taken>) => Result<Returned>) & {
      async: (
        ...args: [...Arguments<Taken>, (error: Error | null, result: Result<Returned>) => void]
      ) => void;
    }
  : never;

export type Bound<Table extends NativeTable> = {
  readonly [Name in keyof Table]: NativeFunction<Table[Name]>;
};

/** Declares every function of a table; the first library that exports a name provides it. */
export function bind<const Table extends NativeTable>(
  table: Table,
  libraries: readonly LibraryHandle[],
): Bound<Table> {
  const bound: Record<string, unknown> = {};
  for (const [name, [result, ...types]] of Object.entries(table)) {
    let declared: unknown;
    let reason: unknown;
    for (const library of libraries) {
      try {
        declared = library.func(name, result, types);
        break;
      } catch (error) {
        reason = error;
      }
    }
    if (!declared) throw new Error(`native function ${name} is missing`, { cause: reason });
    bound[name] = declared;
  }
  return bound as Bound<Table>;
}

interface AsyncCallable<Args extends unknown[], Returned> {
  async: (...args: [...Args, (error: Error | null, result: Returned) => void]) => void;
}

/** Runs one native call on a worker thread. Typed arrays passed are kept until it settles; what addresses name is not. */
export function callAsync<Args extends unknown[], Returned>(
  native: AsyncCallable<Args, Returned>,
  ...args: Args
): Promise<Returned> {
  return new Promise((resolve, reject) => {
    native.async(...args, (error, result) => {
      // This use keeps the arguments from the garbage collector for as long as native code works on them.
      args.length = 0;
      if (error) reject(error);
      else resolve(result);
    });
  });
}

/** Address of a typed array's first byte, for structs that hold pointers. The array must outlive the struct's use. */
export function addressOf(view: ArrayBufferView): bigint {
  return koffi.address(view);
}

/** Floats at an address, without a copy: the memory belongs to its library and changes with the next call. */
export function viewFloats(pointer: Pointer, length: number): Float32Array {
  return new Float32Array(koffi.view(pointer, length * 4));
}
