// Calls to the server's API.

export class ApiError extends Error {
  /** `told` is what the server says: code, message, and with some codes suggestions, retry_s, votes and more. */
  constructor(status, { code = "unknown", message = `the server answered ${status}`, ...told } = {}) {
    super(message);
    Object.assign(this, { suggestions: [] }, told, { status, code });
  }
}

/** Call the API; returns what it says, throws ApiError (status 0 if the server cannot be reached). */
export async function call(method, path, body, { signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      cache: "no-store",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { code: "unreachable", message: "The stream cannot be reached just now." });
  }
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, told.error);
  return told;
}
