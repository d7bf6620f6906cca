// The one filter of the renderer: a tent over the texels around a point, as wide as one
// destination pixel but never narrower than one texel. Bilinear when enlarging, free of
// aliasing when reducing. Texels beyond the edges repeat the edge.

fn tent(distance: f32, radius: f32) -> f32 {
    return max(0.0, 1.0 - abs(distance) / radius);
}

fn texel_clamped(picture: texture_2d<f32>, at: vec2<i32>, last: vec2<i32>) -> vec4<f32> {
    return textureLoad(picture, clamp(at, vec2<i32>(0, 0), last), 0);
}

// Bilinear: the tent of radius one touches four texels.
fn sample_bilinear(picture: texture_2d<f32>, point: vec2<f32>, last: vec2<i32>) -> vec4<f32> {
    let base = floor(point - 0.5);
    let part = point - 0.5 - base;
    let first = vec2<i32>(base);
    let top = mix(
        texel_clamped(picture, first, last),
        texel_clamped(picture, first + vec2<i32>(1, 0), last),
        part.x,
    );
    let bottom = mix(
        texel_clamped(picture, first + vec2<i32>(0, 1), last),
        texel_clamped(picture, first + vec2<i32>(1, 1), last),
        part.x,
    );
    return mix(top, bottom, part.y);
}

fn sample_tent(
    picture: texture_2d<f32>,
    point: vec2<f32>,
    radius: vec2<f32>,
    last: vec2<i32>,
) -> vec4<f32> {
    let first = vec2<i32>(ceil(point - radius - 0.5));
    let end = vec2<i32>(floor(point + radius - 0.5));
    var sum = vec4<f32>(0.0);
    var weights = 0.0;
    for (var j = first.y; j <= end.y; j++) {
        let down = tent(f32(j) + 0.5 - point.y, radius.y);
        for (var i = first.x; i <= end.x; i++) {
            let weight = down * tent(f32(i) + 0.5 - point.x, radius.x);
            sum += weight * texel_clamped(picture, vec2<i32>(i, j), last);
            weights += weight;
        }
    }
    return sum / weights;
}
