// Conversion: the finished canvas to packed I420, BT.709 limited, chroma on the left columns.
//
// in         premultiplied RGBA; over black, so alpha is not read
// out        a buffer of Y, U, V planes, four samples a word
// cost       one invocation per 8x2 luma samples: 18 taps, 6 words written
// prelude    none
// host       shaders::uniforms::RgbToYuv (32 bytes)
// reference  render::yuv; both are held to each other by tests/golden.rs

struct RgbToYuv {
    // Last column and row of the canvas; samples beyond repeat it.
    last: vec2<i32>,
    // Blocks of 8x2 luma samples across and down.
    blocks: vec2<u32>,
    // Words in a luma row; a chroma row has half as many.
    luma_words: u32,
    // Word at which U begins.
    u_start: u32,
    // Word at which V begins.
    v_start: u32,
    // Keeps the size a multiple of 16.
    padding: u32,
}

@group(0) @binding(0) var<uniform> params: RgbToYuv;
@group(0) @binding(1) var canvas: texture_2d<f32>;
@group(0) @binding(2) var<storage, read_write> planes: array<u32>;

fn color_at(x: i32, y: i32) -> vec3<f32> {
    return textureLoad(canvas, clamp(vec2<i32>(x, y), vec2<i32>(0, 0), params.last), 0).rgb;
}

fn luma_of(color: vec3<f32>) -> f32 {
    return dot(color, vec3<f32>(0.2126, 0.7152, 0.0722));
}

fn code(value: f32) -> u32 {
    return u32(clamp(floor(value + 0.5), 0.0, 255.0));
}

@compute @workgroup_size(8, 8)
fn cs_rgb_to_yuv(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.blocks.x || id.y >= params.blocks.y {
        return;
    }
    let x = i32(id.x) * 8;
    let y = i32(id.y) * 2;
    var u_word = 0u;
    var v_word = 0u;
    var top_words = vec2<u32>(0u, 0u);
    var bottom_words = vec2<u32>(0u, 0u);
    // The column left of the pair: chroma's third tap.
    var left = color_at(x - 1, y) + color_at(x - 1, y + 1);
    for (var pair = 0u; pair < 4u; pair++) {
        let column = x + i32(pair) * 2;
        let a = color_at(column, y);
        let b = color_at(column + 1, y);
        let c = color_at(column, y + 1);
        let d = color_at(column + 1, y + 1);
        let right = b + d;
        let mean = (left + 2.0 * (a + c) + right) / 8.0;
        left = right;

        let shift = (pair & 1u) * 16u;
        let top = code(16.0 + 219.0 * luma_of(a)) | (code(16.0 + 219.0 * luma_of(b)) << 8u);
        let bottom = code(16.0 + 219.0 * luma_of(c)) | (code(16.0 + 219.0 * luma_of(d)) << 8u);
        if pair < 2u {
            top_words.x |= top << shift;
            bottom_words.x |= bottom << shift;
        } else {
            top_words.y |= top << shift;
            bottom_words.y |= bottom << shift;
        }
        let grey = luma_of(mean);
        u_word |= code(128.0 + 224.0 * (mean.b - grey) / 1.8556) << (pair * 8u);
        v_word |= code(128.0 + 224.0 * (mean.r - grey) / 1.5748) << (pair * 8u);
    }
    let top_row = id.y * 2u * params.luma_words + id.x * 2u;
    let bottom_row = top_row + params.luma_words;
    planes[top_row] = top_words.x;
    planes[top_row + 1u] = top_words.y;
    planes[bottom_row] = bottom_words.x;
    planes[bottom_row + 1u] = bottom_words.y;
    let chroma = id.y * (params.luma_words / 2u) + id.x;
    planes[params.u_start + chroma] = u_word;
    planes[params.v_start + chroma] = v_word;
}
