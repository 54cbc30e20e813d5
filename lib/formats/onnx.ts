// ONNX models, edited without understanding all of them: nodes, their constants, initialisers and outputs are read and
// replaced; everything else stays byte for byte (github.com/onnx/onnx, onnx.proto).
import fs from 'node:fs';
import { makeError } from '../runtime/errors';
import { writeWhole } from '../runtime/files';
import { invalidFormat } from './bytes';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from './half';
import * as wire from './protobuf';

// Field numbers of onnx.proto.
const model = { graph: 7, opsetImport: 8 } as const;
const opset = { domain: 1, version: 2 } as const;
const graph = { node: 1, initializer: 5, input: 11, output: 12 } as const;
const node = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 } as const;
const attribute = { name: 1, f: 2, i: 3, s: 4, t: 5, floats: 7, ints: 8, type: 20 } as const;
const attributeType = { f: 1, i: 2, s: 3, t: 4, ints: 7 } as const;
const valueInfo = { name: 1 } as const;
const tensor = {
  dims: 1,
  dataType: 2,
  segment: 3,
  floatData: 4,
  int32Data: 5,
  int64Data: 7,
  name: 8,
  rawData: 9,
  doubleData: 10,
  dataLocation: 14,
} as const;

/** Element types of the tensors written here. */
export type OnnxDataType =
  'float32' | 'uint8' | 'int8' | 'uint16' | 'int32' | 'int64' | 'float16' | 'float64' | 'bfloat16' | 'uint4' | 'int4';

/** Their numbers in onnx.proto. */
const dataTypes: Readonly<Record<OnnxDataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int32: 6,
  int64: 7,
  float16: 10,
  float64: 11,
  bfloat16: 16,
  uint4: 21,
  int4: 22,
};

/** A tensor to write; `data` are its raw little-endian bytes. */
export interface OnnxTensor {
  /** Element type. */
  readonly dataType: OnnxDataType;
  /** Extents, outermost first. */
  readonly shape: readonly number[];
  /** The elements. */
  readonly data: ArrayBufferView;
}

/** The value of an attribute to write: a whole number, a list of them, a text or a tensor. */
export type OnnxAttribute = number | readonly number[] | string | OnnxTensor;

/** A node to write. */
export interface OnnxNodeEntry {
  /** Operator. */
  readonly opType: string;
  /** Domain of the operator; the standard one where omitted. */
  readonly domain?: string;
  /** Name of the node. */
  readonly name?: string;
  /** Names of the values that go in. */
  readonly inputs: readonly string[];
  /** Names of the values that come out. */
  readonly outputs: readonly string[];
  /** Attributes by name. */
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** What to change in a model; everything else stays as it is. */
export interface OnnxEdit {
  /** Values to hand out as well; names that are outputs already stay once. */
  readonly outputs?: readonly string[];
  /** New float values of constants by name, of the length they have; kept in their element type (16-bit types round). */
  readonly constants?: ReadonlyMap<string, Float32Array>;
  /** Nodes to put in the place of the node at an index, with all that go; an empty list removes it. */
  readonly nodes?: ReadonlyMap<number, readonly OnnxNodeEntry[]>;
  /** Nodes to put before all others; what they use they must make themselves. */
  readonly firstNodes?: readonly OnnxNodeEntry[];
  /** Initialisers to add. */
  readonly initializers?: ReadonlyMap<string, OnnxTensor>;
  /** Initialisers to leave out. */
  readonly removeInitializers?: ReadonlySet<string>;
  /** Operator sets to import at least in this version, by domain ('' is the standard one). */
  readonly opsets?: ReadonlyMap<string, number>;
}

/** A tensor of the model: an initialiser or the value of a Constant node. */
export class OnnxConstant {
  readonly #fields: readonly wire.WireField[];
  /** Name of the value. */
  readonly name: string;
  /** Extents, outermost first; none for a scalar. */
  readonly shape: readonly number[];
  /** Element type as a number of onnx.proto: 1 is float32. */
  readonly dataType: number;

  /** @internal */
  constructor(name: string, bytes: Uint8Array) {
    this.#fields = wire.readFields(bytes);
    this.name = name;
    this.shape = wire.allSafeIntegers(this.#fields, tensor.dims);
    this.dataType = wire.oneInteger(this.#fields, tensor.dataType) ?? 0;
    if (this.shape.some((extent) => extent < 0) || !Number.isSafeInteger(this.size)) {
      throw invalidFormat('model', `tensor \`${name}\` has the shape [${this.shape.join(', ')}]`);
    }
  }

  /** Number of elements. */
  get size(): number {
    return this.shape.reduce((product, extent) => product * extent, 1);
  }

  /** Whether `float32` can read it. */
  get isFloat(): boolean {
    return [1, 10, 11, 16].includes(this.dataType);
  }

  /**
   * The elements as float32, rounded where they are float64. Throws `ERR_NOT_EXPRESSIBLE` for other element types and
   * for data kept in another file, `ERR_INVALID_FORMAT` where there are not as many elements as the shape says.
   */
  float32(): Float32Array {
    this.#refuseForeign();
    const values = this.#read();
    if (values.length !== this.size) {
      throw invalidFormat('model', `tensor \`${this.name}\` has ${values.length} elements, its shape ${this.size}`);
    }
    return values;
  }

  /** The message with these values in place of its own. @internal */
  withValues(values: Float32Array): Uint8Array {
    this.#refuseForeign();
    if (values.length !== this.size) {
      throw makeError(
        'ERR_SHAPE_MISMATCH',
        'edit.constants',
        `constant \`${this.name}\` has ${this.size} elements, got ${values.length}`,
      );
    }
    const data = wire.bytesField(tensor.rawData, asBytes(narrow(this.dataType, values)));
    const holdsData: number[] = [tensor.floatData, tensor.int32Data, tensor.rawData, tensor.doubleData];
    const first = this.#fields.findIndex(({ number }) => holdsData.includes(number));
    const kept = this.#fields.flatMap((field, index) => {
      if (index === first) return [data];
      return holdsData.includes(field.number) ? [] : [field];
    });
    return wire.writeFields(first < 0 ? [...kept, data] : kept);
  }

  #refuseForeign(): void {
    const refuse = (why: string): Error =>
      makeError('ERR_NOT_EXPRESSIBLE', 'model', `constant \`${this.name}\` ${why}`);
    if (!this.isFloat) throw refuse(`holds no floating-point numbers (element type ${this.dataType})`);
    if ((wire.oneInteger(this.#fields, tensor.dataLocation) ?? 0) !== 0) {
      throw refuse('keeps its data in another file; save the model as one file first');
    }
    if (wire.oneBytes(this.#fields, tensor.segment) !== undefined) throw refuse('is one segment of a larger tensor');
  }

  #read(): Float32Array {
    const raw = wire.oneBytes(this.#fields, tensor.rawData);
    if (raw !== undefined) {
      const width = { 1: 4, 10: 2, 11: 8, 16: 2 }[this.dataType] ?? 1;
      if (raw.length % width !== 0) throw invalidFormat('model', `tensor \`${this.name}\` ends within an element`);
      return widen(this.dataType, new Uint8Array(raw).buffer);
    }
    if (this.dataType === 1) return new Float32Array(wire.allFixed(this.#fields, tensor.floatData, 4).slice().buffer);
    if (this.dataType === 11) return widen(11, wire.allFixed(this.#fields, tensor.doubleData, 8).slice().buffer);
    // 16-bit floats lie as their bits in int32_data.
    return widen(this.dataType, Uint16Array.from(wire.allSafeIntegers(this.#fields, tensor.int32Data)).buffer);
  }
}

function widen(dataType: number, buffer: ArrayBufferLike): Float32Array {
  if (dataType === 1) return new Float32Array(buffer);
  if (dataType === 11) return Float32Array.from(new Float64Array(buffer));
  return (dataType === 10 ? float16ToFloat32 : bfloat16ToFloat32)(new Uint16Array(buffer));
}

function narrow(dataType: number, values: Float32Array): ArrayBufferView {
  if (dataType === 1) return values;
  if (dataType === 11) return Float64Array.from(values);
  return (dataType === 10 ? float32ToFloat16 : float32ToBfloat16)(values);
}

function asBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A node of the graph. */
export class OnnxNode {
  readonly #attributes: ReadonlyMap<string, readonly wire.WireField[]>;
  /** Position in the graph. */
  readonly index: number;
  /** Name; may be empty. */
  readonly name: string;
  /** Operator. */
  readonly opType: string;
  /** Domain of the operator; empty for the standard one. */
  readonly domain: string;
  /** Names of the values that go in; an empty name is an omitted one. */
  readonly inputs: readonly string[];
  /** Names of the values that come out. */
  readonly outputs: readonly string[];

  /** @internal */
  constructor(index: number, bytes: Uint8Array) {
    const fields = wire.readFields(bytes);
    this.index = index;
    this.name = wire.oneText(fields, node.name);
    this.opType = wire.oneText(fields, node.opType);
    this.domain = wire.oneText(fields, node.domain);
    this.inputs = wire.allTexts(fields, node.input);
    this.outputs = wire.allTexts(fields, node.output);
    this.#attributes = new Map(
      wire.allBytes(fields, node.attribute).map((value) => {
        const parts = wire.readFields(value);
        return [wire.oneText(parts, attribute.name), parts] as const;
      }),
    );
  }

  /** A whole-number attribute, or `otherwise` where there is none. */
  integer(name: string, otherwise: number): number {
    return wire.oneInteger(this.#attributes.get(name) ?? [], attribute.i) ?? otherwise;
  }

  /** A list-of-integers attribute; undefined where there is none. */
  integers(name: string): number[] | undefined {
    const parts = this.#attributes.get(name);
    return parts === undefined ? undefined : wire.allSafeIntegers(parts, attribute.ints);
  }

  /** A floating-point attribute, or `otherwise` where there is none. */
  number(name: string, otherwise: number): number {
    const bytes = wire.allFixed(this.#attributes.get(name) ?? [], attribute.f, 4);
    if (bytes.length < 4) return otherwise;
    return new DataView(bytes.buffer).getFloat32(bytes.length - 4, true);
  }

  /** A text attribute, or `otherwise` where there is none. */
  text(name: string, otherwise: string): string {
    const parts = this.#attributes.get(name);
    return parts === undefined || wire.allBytes(parts, attribute.s).length === 0
      ? otherwise
      : wire.oneText(parts, attribute.s);
  }

  /** The bytes of a tensor attribute. @internal */
  tensorBytes(name: string): Uint8Array | undefined {
    const parts = this.#attributes.get(name);
    return parts === undefined ? undefined : wire.oneBytes(parts, attribute.t);
  }
}

function tensorMessage(name: string, { dataType, shape, data }: OnnxTensor): Uint8Array {
  return wire.writeFields([
    ...shape.map((extent) => wire.integerField(tensor.dims, extent)),
    wire.integerField(tensor.dataType, dataTypes[dataType]),
    wire.textField(tensor.name, name),
    wire.bytesField(tensor.rawData, asBytes(data)),
  ]);
}

function attributeMessage(name: string, value: OnnxAttribute): wire.WireField {
  const parts = [wire.textField(attribute.name, name)];
  const typed = (type: number, ...fields: wire.WireField[]): wire.WireField =>
    wire.messageField(node.attribute, [...parts, ...fields, wire.integerField(attribute.type, type)]);
  if (typeof value === 'number') return typed(attributeType.i, wire.integerField(attribute.i, value));
  if (typeof value === 'string') return typed(attributeType.s, wire.textField(attribute.s, value));
  if ('dataType' in value) return typed(attributeType.t, wire.bytesField(attribute.t, tensorMessage('', value)));
  return typed(attributeType.ints, ...value.map((integer) => wire.integerField(attribute.ints, integer)));
}

function nodeField(entry: OnnxNodeEntry): wire.WireField {
  return wire.messageField(graph.node, [
    ...entry.inputs.map((name) => wire.textField(node.input, name)),
    ...entry.outputs.map((name) => wire.textField(node.output, name)),
    ...(entry.name === undefined ? [] : [wire.textField(node.name, entry.name)]),
    wire.textField(node.opType, entry.opType),
    ...Object.entries(entry.attributes ?? {}).map(([name, value]) => attributeMessage(name, value)),
    ...(entry.domain === undefined ? [] : [wire.textField(node.domain, entry.domain)]),
  ]);
}

/** A model, never changed: `edit` makes another one that shares the bytes of what stays. */
export class OnnxModel {
  readonly #fields: readonly wire.WireField[];
  readonly #graph: readonly wire.WireField[];
  /** The nodes of the main graph, in order; graphs within nodes are not looked into. */
  readonly nodes: readonly OnnxNode[];
  /** Tensors by name: initialisers and the values of Constant nodes. */
  readonly constants: ReadonlyMap<string, OnnxConstant>;
  /** Names of the inputs; initialisers may be among them. */
  readonly inputs: readonly string[];
  /** Names of the outputs. */
  readonly outputs: readonly string[];
  /** Versions of the imported operator sets by domain ('' is the standard one). */
  readonly opsets: ReadonlyMap<string, number>;

  /** @internal */
  constructor(bytes: Uint8Array) {
    this.#fields = wire.readFields(bytes);
    const graphBytes = wire.oneBytes(this.#fields, model.graph);
    if (graphBytes === undefined) throw invalidFormat('bytes', 'ONNX: the model has no graph');
    this.#graph = wire.readFields(graphBytes);
    this.nodes = wire.allBytes(this.#graph, graph.node).map((value, index) => new OnnxNode(index, value));
    this.inputs = this.#valueNames(graph.input);
    this.outputs = this.#valueNames(graph.output);
    this.opsets = new Map(
      wire.allBytes(this.#fields, model.opsetImport).map((value) => {
        const parts = wire.readFields(value);
        return [normalDomain(wire.oneText(parts, opset.domain)), wire.oneInteger(parts, opset.version) ?? 0];
      }),
    );
    const constants = new Map<string, OnnxConstant>();
    for (const constant of this.#readConstants()) {
      if (constants.has(constant.name)) {
        throw invalidFormat('bytes', `ONNX: the constant \`${constant.name}\` occurs twice`);
      }
      constants.set(constant.name, constant);
    }
    this.constants = constants;
  }

  /**
   * A model with these changes. Throws `ERR_INVALID_ARG_VALUE` for constants and nodes that are not there,
   * `ERR_SHAPE_MISMATCH` for values of the wrong length, `ERR_NOT_EXPRESSIBLE` for constants that are no floats.
   */
  edit(edit: OnnxEdit): OnnxModel {
    this.#check(edit);
    const first = (edit.firstNodes ?? []).map(nodeField);
    const graphFields = wire.writeFields([...first, ...this.#editGraph(edit), ...this.#added(edit)]);
    const kept = this.#fields.map((field) =>
      field.number === model.graph ? wire.bytesField(model.graph, graphFields) : field,
    );
    return new OnnxModel(wire.writeFields(this.#editOpsets(kept, edit.opsets ?? new Map<string, number>())));
  }

  /** The bytes of the model: those it was read from, where it was not edited. */
  serialize(): Uint8Array {
    return wire.writeFields(this.#fields);
  }

  /** Writes the model, whole or not at all. */
  write(file: string): void {
    writeWhole(file, this.serialize());
  }

  #valueNames(number: number): string[] {
    return wire.allBytes(this.#graph, number).map((value) => wire.oneText(wire.readFields(value), valueInfo.name));
  }

  *#readConstants(): Generator<OnnxConstant> {
    for (const bytes of wire.allBytes(this.#graph, graph.initializer)) {
      yield new OnnxConstant(wire.oneText(wire.readFields(bytes), tensor.name), bytes);
    }
    for (const entry of this.nodes) {
      const value = isConstant(entry) ? entry.tensorBytes('value') : undefined;
      const [name] = entry.outputs;
      if (value !== undefined && name !== undefined) yield new OnnxConstant(name, value);
    }
  }

  #check({ constants, nodes }: OnnxEdit): void {
    for (const name of constants?.keys() ?? []) {
      if (!this.constants.has(name)) {
        throw makeError('ERR_INVALID_ARG_VALUE', 'edit.constants', `the model has no constant \`${name}\``);
      }
    }
    for (const index of nodes?.keys() ?? []) {
      if (this.nodes[index] === undefined) {
        throw makeError('ERR_INVALID_ARG_VALUE', 'edit.nodes', `the model has no node ${index}`);
      }
    }
  }

  #editGraph({ constants, nodes, removeInitializers }: OnnxEdit): wire.WireField[] {
    let index = -1;
    return this.#graph.flatMap((field) => {
      if (field.number === graph.node) {
        index += 1;
        const replacement = nodes?.get(index);
        if (replacement !== undefined) return replacement.map(nodeField);
        return [this.#editConstantNode(field, index, constants)];
      }
      if (field.number !== graph.initializer) return [field];
      const name = wire.oneText(wire.readFields(field.value), tensor.name);
      if (removeInitializers?.has(name) === true) return [];
      const values = constants?.get(name);
      const constant = this.constants.get(name);
      if (values === undefined || constant === undefined) return [field];
      return [wire.bytesField(graph.initializer, constant.withValues(values))];
    });
  }

  #editConstantNode(field: wire.WireField, index: number, constants: OnnxEdit['constants']): wire.WireField {
    const entry = this.nodes[index] as OnnxNode;
    const name = entry.outputs[0] ?? '';
    const values = isConstant(entry) ? constants?.get(name) : undefined;
    const constant = this.constants.get(name);
    if (values === undefined || constant === undefined) return field;
    const data = wire.bytesField(attribute.t, constant.withValues(values));
    return wire.messageField(
      graph.node,
      wire.readFields(field.value).map((part) => {
        if (part.number !== node.attribute) return part;
        const parts = wire.readFields(part.value);
        if (wire.oneText(parts, attribute.name) !== 'value') return part;
        return wire.messageField(
          node.attribute,
          parts.map((inner) => (inner.number === attribute.t ? data : inner)),
        );
      }),
    );
  }

  #added({ initializers, outputs }: OnnxEdit): wire.WireField[] {
    const tensors = [...(initializers ?? [])].map(([name, entry]) =>
      wire.bytesField(graph.initializer, tensorMessage(name, entry)),
    );
    const known = new Set(this.outputs);
    const names = [...new Set(outputs ?? [])].filter((name) => !known.has(name));
    // A name alone: runtimes infer type and shape.
    const values = names.map((name) => wire.messageField(graph.output, [wire.textField(valueInfo.name, name)]));
    return [...tensors, ...values];
  }

  #editOpsets(fields: readonly wire.WireField[], versions: ReadonlyMap<string, number>): wire.WireField[] {
    const entry = (domain: string, version: number): wire.WireField =>
      wire.messageField(model.opsetImport, [
        wire.textField(opset.domain, domain),
        wire.integerField(opset.version, version),
      ]);
    const raised = fields.map((field) => {
      if (field.number !== model.opsetImport) return field;
      const parts = wire.readFields(field.value);
      const domain = normalDomain(wire.oneText(parts, opset.domain));
      const wanted = versions.get(domain) ?? 0;
      return wanted > (wire.oneInteger(parts, opset.version) ?? 0) ? entry(domain, wanted) : field;
    });
    const added = [...versions].filter(([domain]) => !this.opsets.has(domain));
    return [...raised, ...added.map(([domain, version]) => entry(domain, version))];
  }
}

function normalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

function isConstant({ opType, domain }: OnnxNode): boolean {
  return opType === 'Constant' && normalDomain(domain) === '';
}

/** Reads a model from memory. Throws `ERR_INVALID_FORMAT`. */
export function parseOnnx(bytes: Uint8Array): OnnxModel {
  return new OnnxModel(bytes);
}

/** Reads a model file. Throws `ERR_INVALID_FORMAT` where it is not one, Node's own error where it cannot be read. */
export function openOnnx(file: string): OnnxModel {
  return new OnnxModel(fs.readFileSync(file));
}
