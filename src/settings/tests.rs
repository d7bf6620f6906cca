use super::*;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Every key of a table as a dotted path.
fn keys(table: &toml::Table, above: &str, found: &mut Vec<String>) {
    for (name, value) in table {
        let path = format!("{above}{name}");
        match value.as_table() {
            Some(inner) => keys(inner, &format!("{path}."), found),
            None => found.push(path),
        }
    }
    found.sort();
}

#[test]
fn the_default_file_lists_every_key_with_its_default() {
    let text = include_str!("../../config/default.toml");
    let loaded: Settings = toml::from_str(text).expect("the file is made of settings");
    assert_eq!(loaded, Settings::default());

    let (mut listed, mut known) = (Vec::new(), Vec::new());
    keys(&text.parse().expect("the file is TOML"), "", &mut listed);
    keys(
        &toml::Table::try_from(Settings::default()).expect("settings serialise"),
        "",
        &mut known,
    );
    assert_eq!(listed, known);
}

#[test]
fn later_sources_win() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("framelane.toml");
    std::fs::write(&file, "[render]\nslots = 3\nsegment_frames = 30\n").unwrap();
    let settings = Settings::load(
        Some(&file),
        env(&[
            ("FRAMELANE__RENDER__SLOTS", "5"),
            ("FRAMELANE__CLUSTER__SECRET", "1234"),
            ("FRAMELANE__ROLES", r#"["edge","render"]"#),
            ("FRAMELANE__MEDIA__ALLOW_PRIVATE_NETWORKS", "true"),
            ("FRAMELANE__AUTH__REQUIRED", "false"),
            ("FRAMELANE__LIMITS__BODY_BYTES", "3MiB"),
            ("FRAMELANE__QUOTA__WORKSPACES__FILMS__RENDER_MINUTES", "60"),
            ("FRAMELANE__QUOTA__WORKSPACES__FILMS__BYTES", "2GiB"),
            ("PATH", "/bin"),
        ]),
    )
    .unwrap();
    assert_eq!(settings.render.slots, 5);
    assert_eq!(settings.render.segment_frames, 30);
    assert_eq!(settings.cluster.secret, "1234");
    assert_eq!(settings.roles, [Role::Edge, Role::Render]);
    assert!(settings.media.allow_private_networks);
    assert_eq!(settings.auth.required, Some(false));
    assert_eq!(settings.limits.body_bytes, ByteSize::mib(3));
    assert_eq!(
        settings.quota.workspaces["films"].bytes,
        Some(ByteSize::gib(2))
    );
    assert_eq!(settings.quota.workspaces["films"].render_minutes, Some(60));
}

#[test]
fn what_is_not_understood_is_an_error_that_names_it() {
    let cases = [
        ("FRAMELANE__RENDER__SLOTZ", "1", "slotz"),
        ("FRAMELANE__NOWHERE__AT_ALL", "1", "nowhere"),
        (
            "FRAMELANE__RENDER__SLOTS",
            "many",
            "FRAMELANE__RENDER__SLOTS",
        ),
        ("FRAMELANE__ROLES", "edge", "FRAMELANE__ROLES"),
        ("FRAMELANE__EDGE__LISTEN", "here", "edge.listen"),
        ("FRAMELANE__LIMITS__DURATION", "long", "duration"),
    ];
    for (name, value, named) in cases {
        let error = Settings::load(None, env(&[(name, value)]))
            .unwrap_err()
            .to_string();
        let named = named.rsplit('.').next().unwrap();
        assert!(error.contains(named), "{name}={value}: {error}");
    }
}

#[test]
fn what_this_build_cannot_do_is_refused_by_name() {
    type Change = fn(&mut Settings);
    let cases: &[(&str, Change)] = &[
        ("roles", |s| s.roles = vec![Role::Edge]),
        ("limits.burst", |s| s.limits.burst = 5),
        ("quota.workspaces", |s| {
            let quota = WorkspaceQuota::default();
            s.quota.workspaces.insert("My Films".into(), quota);
        }),
        ("render.worker_memory", |s| {
            s.render.worker_memory = "much".into();
        }),
        ("render.worker_memory", |s| {
            s.render.worker_memory = "1MB".into();
        }),
        ("redis.url", |s| s.redis.url = "redis://localhost".into()),
        ("storage.url", |s| s.storage.url = "gs://bucket".into()),
        ("storage.url", |s| s.storage.url = "s3:///prefix".into()),
        ("storage.url", |s| s.storage.region = "eu-west-1".into()),
        ("storage.endpoint", |s| {
            s.storage.url = "s3://bucket".into();
            s.storage.endpoint = "localhost:9000".into();
        }),
        ("destinations", |s| {
            let named = DestinationSettings {
                access_key_id_env: "THEIR_KEY".into(),
                ..DestinationSettings::default()
            };
            s.destinations.insert("theirs".into(), named);
        }),
        ("cluster.peers", |s| s.cluster.peers = vec!["a:1".into()]),
    ];
    for (key, change) in cases {
        let mut settings = Settings::default();
        assert!(settings.validate().is_ok());
        change(&mut settings);
        let error = settings.validate().unwrap_err().to_string();
        assert!(error.contains(key), "{key}: {error}");
    }
}

#[test]
fn buckets_are_named_in_the_file_and_in_variables() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("framelane.toml");
    let text = r#"
        [storage]
        url = "s3://films/framelane/"
        endpoint = "http://127.0.0.1:9000"
        [destinations.customer-films]
        region = "eu-west-1"
        access_key_id_env = "CUSTOMER_KEY"
        secret_access_key_env = "CUSTOMER_SECRET"
    "#;
    std::fs::write(&file, text).unwrap();
    let variables = env(&[("FRAMELANE__DESTINATIONS__ARCHIVE__REGION", "eu-north-1")]);
    let settings = Settings::load(Some(&file), variables).unwrap();
    settings.validate().unwrap();
    assert_eq!(settings.bucket(), Some(("films", "framelane")));
    let regions = settings.destinations.iter();
    let regions: Vec<_> = regions.map(|(name, set)| (&**name, &*set.region)).collect();
    assert_eq!(
        regions,
        [("archive", "eu-north-1"), ("customer-films", "eu-west-1")]
    );
}
