// Layer: one picture drawn onto the canvas.
//
// in         premultiplied RGBA, gamma-encoded
// out        premultiplied RGBA times coverage and opacity; the target blends source-over
// cost       one pass over the layer's rectangle; 1 tap (copy), 4 (enlarged), tent (reduced)
// prelude    common/sampling.wgsl
// host       shaders::uniforms::Layer (128 bytes)
// reference  render::reference; both must agree with tests/golden/*.png

struct Layer {
    // Target pixel (x, y, 1) to texel coordinate u; w is the tent's radius along u.
    texel_u: vec4<f32>,
    // The same for v.
    texel_v: vec4<f32>,
    // Target pixel (x, y, 1) to distance from the drawn region's left edge, in target
    // pixels; w is the region's width.
    edge_s: vec4<f32>,
    // The same from the top edge; w is the region's height.
    edge_t: vec4<f32>,
    // Clip-space corners of the quad: top left, top right.
    corners_top: vec4<f32>,
    // Clip-space corners of the quad: bottom right, bottom left.
    corners_bottom: vec4<f32>,
    // The picture's last column and row.
    last: vec2<i32>,
    // 0.0 to 1.0.
    opacity: f32,
    // Keeps the size a multiple of 16.
    padding: f32,
}

@group(0) @binding(0) var<uniform> layer: Layer;
@group(1) @binding(0) var picture: texture_2d<f32>;

@vertex
fn vs_layer(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    // Two triangles: 0 1 3, 3 1 2.
    var corners = array<vec2<f32>, 6>(
        layer.corners_top.xy,
        layer.corners_top.zw,
        layer.corners_bottom.zw,
        layer.corners_bottom.zw,
        layer.corners_top.zw,
        layer.corners_bottom.xy,
    );
    return vec4<f32>(corners[index], 0.0, 1.0);
}

fn overlap(at: f32, extent: f32) -> f32 {
    return clamp(min(at, 0.5) + min(extent - at, 0.5), 0.0, 1.0);
}

fn strength(position: vec2<f32>) -> f32 {
    let pixel = vec3<f32>(position, 1.0);
    let across = overlap(dot(layer.edge_s.xyz, pixel), layer.edge_s.w);
    let down = overlap(dot(layer.edge_t.xyz, pixel), layer.edge_t.w);
    return across * down * layer.opacity;
}

fn texel_point(position: vec2<f32>) -> vec2<f32> {
    let pixel = vec3<f32>(position, 1.0);
    return vec2<f32>(dot(layer.texel_u.xyz, pixel), dot(layer.texel_v.xyz, pixel));
}

// The layer's color in whole codes, so that every device blends the same numbers. The bias
// lifts exact halves, which single precision would send either way.
fn coded(color: vec4<f32>) -> vec4<f32> {
    return floor(color * 255.0 + 0.502) / 255.0;
}

// The picture lies on whole pixels, unscaled.
@fragment
fn fs_copy(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let at = vec2<i32>(floor(texel_point(position.xy)));
    return coded(texel_clamped(picture, at, layer.last) * strength(position.xy));
}

// Nowhere reduced.
@fragment
fn fs_bilinear(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let point = texel_point(position.xy);
    return coded(sample_bilinear(picture, point, layer.last) * strength(position.xy));
}

// Reduced along at least one axis.
@fragment
fn fs_tent(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let radius = vec2<f32>(layer.texel_u.w, layer.texel_v.w);
    let color = sample_tent(picture, texel_point(position.xy), radius, layer.last);
    return coded(color * strength(position.xy));
}
