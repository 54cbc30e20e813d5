// Jest runs tests in a realm of its own, but onnxruntime-node makes its arrays in the outer one and checks them by class.
const { TestEnvironment } = require('jest-environment-node');

module.exports = class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    Object.assign(this.global, {
      BigInt64Array,
      BigUint64Array,
      Float32Array,
      Float64Array,
      Int16Array,
      Int32Array,
      Int8Array,
      Uint16Array,
      Uint32Array,
    });
  }
};
