// Conversion: a decoded picture's planes to RGBA.
//
// in         8-bit Y, U, V planes, chroma at half size
// out        opaque RGBA, gamma-encoded
// cost       one pass over the picture, 9 taps
// prelude    common/fullscreen.wgsl
// host       shaders::uniforms::YuvToRgb (64 bytes)
// reference  render::reference::convert; both must agree with tests/golden/*.png

struct YuvToRgb {
    // (y, u, v, 1) as sampled to red, clamped by the target.
    red: vec4<f32>,
    green: vec4<f32>,
    blue: vec4<f32>,
    // Luma column and row of the first chroma sample.
    site: vec2<f32>,
    // Last column and row of the chroma planes.
    last: vec2<i32>,
}

@group(0) @binding(0) var<uniform> params: YuvToRgb;
@group(0) @binding(1) var luma: texture_2d<f32>;
@group(0) @binding(2) var chroma_u: texture_2d<f32>;
@group(0) @binding(3) var chroma_v: texture_2d<f32>;

fn chroma_at(at: vec2<i32>) -> vec2<f32> {
    let inside = clamp(at, vec2<i32>(0, 0), params.last);
    return vec2<f32>(
        textureLoad(chroma_u, inside, 0).r,
        textureLoad(chroma_v, inside, 0).r,
    );
}

@fragment
fn fs_yuv_to_rgb(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let column = floor(position.xy);
    let place = (column - params.site) * 0.5;
    let base = floor(place);
    let part = place - base;
    let first = vec2<i32>(base);
    let top = mix(chroma_at(first), chroma_at(first + vec2<i32>(1, 0)), part.x);
    let bottom = mix(
        chroma_at(first + vec2<i32>(0, 1)),
        chroma_at(first + vec2<i32>(1, 1)),
        part.x,
    );
    let chroma = mix(top, bottom, part.y);
    let sample = vec4<f32>(textureLoad(luma, vec2<i32>(column), 0).r, chroma, 1.0);
    let color = vec3<f32>(
        dot(params.red, sample),
        dot(params.green, sample),
        dot(params.blue, sample),
    );
    return vec4<f32>(clamp(color, vec3<f32>(0.0), vec3<f32>(1.0)), 1.0);
}
