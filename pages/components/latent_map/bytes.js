// The parts of a map: what Python packs into bytes, a JSON head and the arrays behind it. All maps of a page share them.
const KEEP = 24; // parts of maps that were left stay this many, newest last
const TYPES = {
  float32: Float32Array, uint32: Uint32Array, uint16: Uint16Array, uint8: Uint8Array, int16: Int16Array, int8: Int8Array,
};
const parts = (window.latentMapParts ??= new Map());

// What did not arrive whole is not kept, and no part by its id may come any more: `broken` says so.
function keepPart(bytes) {
  try {
    const part = unpack(bytes);
    const known = parts.get(part.id);
    parts.delete(part.id); // what is in use again is among the newest
    parts.set(part.id, known ?? part);
    if (known) return;
    if (parts.size > KEEP) parts.delete(parts.keys().next().value);
  } catch (error) {
    parts.broken = error;
  }
  window.dispatchEvent(new Event("latent-map-part"));
}

function unpack(bytes) {
  const copy = bytes.byteOffset % 8 ? bytes.slice() : bytes;
  const length = new DataView(copy.buffer, copy.byteOffset).getUint32(0, true);
  const part = JSON.parse(new TextDecoder().decode(copy.subarray(4, 4 + length)));
  const start = copy.byteOffset + 4 + length;
  const read = ([type, offset, count]) => new TYPES[type](copy.buffer, start + offset, count);
  for (const [name, entry] of Object.entries(part.arrays)) {
    part[name] = Array.isArray(entry[0]) ? entry.map(read) : read(entry);
  }
  return part;
}

// A sheet of pictures, side by side, as Python packs them.
function readSheet(bytes) {
  return createImageBitmap(new Blob([bytes], { type: "image/webp" }));
}
