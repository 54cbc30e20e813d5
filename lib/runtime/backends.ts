// placeholder
export interface BackendStatus { name: string }
export function backends(): BackendStatus[] { return []; }
