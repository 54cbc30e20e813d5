// A small ONNX model, written field by field from onnx.proto and not with the writer under test.

export const bytesOf = (...pieces: (Uint8Array | number[])[]): Uint8Array =>
  Uint8Array.from(pieces.flatMap((piece) => [...piece]));

export function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
}

/** A length-delimited field: text, message or raw bytes. */
export function delimited(number: number, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return bytesOf(varint(number * 8 + 2), varint(bytes.length), bytes);
}

export const whole = (number: number, value: number): Uint8Array => bytesOf(varint(number * 8), varint(value));

export const floatBytes = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

/** A TensorProto of float32; raw or in float_data, packed or one by one. */
export function floatTensor(
  name: string,
  shape: number[],
  values: number[],
  as: 'raw' | 'packed' | 'single' = 'raw',
): Uint8Array {
  const data = {
    raw: () => [delimited(9, floatBytes(...values))],
    packed: () => [delimited(4, floatBytes(...values))],
    single: () => values.map((value) => bytesOf(varint(4 * 8 + 5), floatBytes(value))),
  }[as]();
  return bytesOf(...shape.map((extent) => whole(1, extent)), whole(2, 1), ...data, delimited(8, name));
}

/** A NodeProto. */
export function node(opType: string, inputs: string[], outputs: string[], ...attributes: Uint8Array[]): Uint8Array {
  return bytesOf(
    ...inputs.map((name) => delimited(1, name)),
    ...outputs.map((name) => delimited(2, name)),
    delimited(3, `${opType}.${outputs[0] ?? ''}`),
    delimited(4, opType),
    ...attributes.map((value) => delimited(5, value)),
  );
}

export const tensorAttribute = (name: string, value: Uint8Array): Uint8Array =>
  bytesOf(delimited(1, name), delimited(5, value), whole(20, 4));

export const integersAttribute = (name: string, values: number[]): Uint8Array =>
  bytesOf(delimited(1, name), ...values.map((value) => whole(8, value)), whole(20, 7));

export const integerAttribute = (name: string, value: number): Uint8Array =>
  bytesOf(delimited(1, name), whole(3, value), whole(20, 2));

export const floatAttribute = (name: string, value: number): Uint8Array =>
  bytesOf(delimited(1, name), varint(2 * 8 + 5), floatBytes(value), whole(20, 1));

/** A ValueInfoProto of float32 with this shape. */
export function value(name: string, shape: (number | string)[]): Uint8Array {
  const dims = shape.map((extent) =>
    delimited(1, typeof extent === 'string' ? delimited(2, extent) : whole(1, extent)),
  );
  const tensorType = bytesOf(whole(1, 1), delimited(2, bytesOf(...dims)));
  return bytesOf(delimited(1, name), delimited(2, delimited(1, tensorType)));
}

/** A ModelProto of operator set `opset`. */
export function model(
  {
    nodes,
    initializers = [],
    inputs,
    outputs,
  }: Record<'nodes' | 'inputs' | 'outputs', Uint8Array[]> & {
    initializers?: Uint8Array[];
  },
  opset = 13,
  irVersion = opset >= 21 ? 10 : 7,
): Uint8Array {
  const graph = bytesOf(
    ...nodes.map((entry) => delimited(1, entry)),
    delimited(2, 'graph'),
    ...initializers.map((entry) => delimited(5, entry)),
    ...inputs.map((entry) => delimited(11, entry)),
    ...outputs.map((entry) => delimited(12, entry)),
  );
  return bytesOf(whole(1, irVersion), delimited(2, 'by hand'), delimited(7, graph), delimited(8, whole(2, opset)));
}
