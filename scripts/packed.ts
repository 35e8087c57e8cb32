export async function checkPacked(): Promise<void> {}
