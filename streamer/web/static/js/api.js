// Calls to the server's API.

export class ApiError extends Error {
  /** `details` are the error's other keys: with some codes suggestions, retry_s, votes and more. */
  constructor(status, { code = "unknown", message = `the server answered ${status}`, ...details } = {}) {
    super(message);
    Object.assign(this, { suggestions: [] }, details, { status, code });
  }
}

/** Call the API; returns the response, throws ApiError (status 0 if the server cannot be reached). */
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
    throw new ApiError(0, { code: "unreachable", message: "The stream cannot be reached at the moment." });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer.error);
  return answer;
}
