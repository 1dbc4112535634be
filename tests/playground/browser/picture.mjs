// A moving picture of the page: screenshots, which Chromium itself writes as WebP, put into one file (the container of "WebP Container
// Specification": RIFF, VP8X, ANIM, one ANMF for each frame).

function chunk(name, ...parts) {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.write(name, "latin1");
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(body.length & 1)]);
}

const number = (value, bytes) => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, bytes);
  return buffer;
};

// The bitmap of a still WebP: its VP8 or VP8L chunk, whole.
function bitmap(still) {
  for (let at = 12; at < still.length; ) {
    const name = still.toString("latin1", at, at + 4);
    const end = at + 8 + still.readUInt32LE(at + 4);
    if (name === "VP8 " || name === "VP8L") return still.subarray(at, end + (end & 1));
    at = end + (end & 1);
  }
  throw new Error("no bitmap in a screenshot");
}

// `frames`: { still, milliseconds }, all of one size. It is repeated for ever.
export function moving(frames, { width, height }) {
  const size = Buffer.concat([number(width - 1, 3), number(height - 1, 3)]);
  const pictures = frames.map(({ still, milliseconds }) =>
    chunk("ANMF", number(0, 6), size, number(milliseconds, 3), Buffer.from([2]), bitmap(still)),
  );
  const body = [Buffer.from("WEBP"), chunk("VP8X", Buffer.from([2, 0, 0, 0]), size), chunk("ANIM", number(0xffffffff, 4), number(0, 2)), ...pictures];
  return chunk("RIFF", ...body);
}

// A part of the page as a still WebP, `scale` times its size.
export async function still(page, clip, scale) {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", {
    format: "webp",
    quality: 75,
    captureBeyondViewport: true,
    clip: { ...clip, scale },
  });
  await session.detach();
  return Buffer.from(data, "base64");
}
