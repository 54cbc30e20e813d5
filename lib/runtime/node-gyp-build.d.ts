// node-gyp-build has no type declarations of its own.
declare module 'node-gyp-build' {
  const load: { (packageRoot: string): unknown; resolve(packageRoot: string): string };
  export = load;
}
