//! The list of renders: every one once, newest first, while new ones arrive.

use super::world::World;

#[tokio::test]
async fn pages_of_any_size_show_every_render_once_while_new_ones_arrive() {
    for limit in [1, 2, 3, 7, 100] {
        let world = World::new();
        let mut expected = Vec::new();
        for _ in 0..7 {
            expected.push(world.submit().await.to_string());
        }
        expected.reverse();
        let mut seen = Vec::new();
        let mut uri = format!("/v1/renders?limit={limit}");
        loop {
            let page = world.get(&uri).await.json();
            let data = page["data"].as_array().expect("a list");
            assert!(!data.is_empty() && data.len() <= limit);
            seen.extend(
                data.iter()
                    .map(|render| render["id"].as_str().expect("an id").to_owned()),
            );
            assert_eq!(
                page["has_more"].as_bool(),
                Some(page["next_cursor"].is_string())
            );
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            uri = format!("/v1/renders?limit={limit}&cursor={cursor}");
            world.submit().await;
        }
        assert_eq!(seen, expected, "{limit} on a page");
    }
}

#[tokio::test]
async fn a_status_filter_shows_only_that_status() {
    let world = World::new();
    let cancelled = world.submit().await;
    world.submit().await;
    world.delete(&format!("/v1/renders/{cancelled}")).await;
    let page = world.get("/v1/renders?status=cancelled").await.json();
    assert_eq!(page["data"].as_array().expect("a list").len(), 1);
    assert_eq!(page["data"][0]["id"], cancelled.to_string());
}
