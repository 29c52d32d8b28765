//! What the South Pole Telescope's people do: their example's list, with spaces after its commas, against maps of two
//! observations in three bands and two types and a yearly coadd, sent as docs/cutouts.md says.

use serde_json::Value;

use crate::{
    cutout::{save, text},
    harness::{Backend, Site, named, on_both_back_ends, oracle, said},
    readme::{CUTOUTS, SERVER, blocks},
};

on_both_back_ends!(a_list_gives_a_file_for_each_object_and_map);

/// As `spt3g_cutter`'s example has it, with a place that no map shows.
const LIST: &str = "RA,      DEC,      XSIZE, YSIZE, OBJID\n\
     0.2120,  -57.4321, 5.00,  3.00,  SPT-S J000050-5725.9\n\
     359.8100, -57.6000, 4.50, 4.50,  RA0_west\n\
     0.0000,  -57.5000, 2.00,  2.00,  centre\n\
     31.4427, -64.8561, 3.00,  3.00,  elsewhere\n";

async fn a_list_gives_a_file_for_each_object_and_map(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let maps = folder.path().join("maps");
    assert_eq!(oracle("spt3g.py", &[&text(&maps)]).await, 13);
    let site = Site::start(backend).await;
    said(&site.run(&["ingest", "spt3g", &text(&maps)]).await);
    std::fs::write(folder.path().join("positions.csv"), LIST).unwrap();
    let block = blocks(CUTOUTS, "sh")[0].replace(SERVER, &site.address);
    let output = named("bash", folder.path())
        .args(["-euc", &block])
        .output()
        .await
        .unwrap();
    let shown = said(&output);
    assert!(shown.contains("COMPLETED"), "{shown}");

    let jobs: Value = site.get_json("/api/cutout/async").await;
    let job = jobs["jobs"][0]["href"].as_str().unwrap().to_owned();
    let cutouts = folder.path().join("cutouts");
    std::fs::create_dir(&cutouts).unwrap();
    let names = save(&site, &job, &cutouts).await;
    let ids = ["SPT-S_J000050-5725.9", "RA0_west", "centre"];
    let mut expected: Vec<String> = Vec::new();
    for id in ids {
        for band in ["90GHz", "150GHz", "220GHz"] {
            for obs in ["84001234", "84005678"] {
                expected.extend(["psth", "fltd"].map(|kind| format!("{id}_{band}_{obs}_{kind}.fits")));
            }
        }
        expected.push(format!("{id}_150GHz_yearly_winter_2020_fltd.fits"));
    }
    let (curves, others): (Vec<&String>, _) = names.iter().partition(|name| name.contains("_lightcurve"));
    for id in ids {
        for ending in ["fits", "csv"] {
            assert!(
                curves.contains(&&format!("{id}_lightcurve.{ending}")),
                "{curves:?}"
            );
        }
        // Each observation is a line.
        let lines = std::fs::read_to_string(cutouts.join(format!("{id}_lightcurve.csv"))).unwrap();
        let seen = |obs: &str| lines.lines().filter(|line| line.contains(obs)).count();
        assert_eq!([seen("84001234"), seen("84005678")], [6, 6], "{lines}");
    }
    let mut files: Vec<&String> = others.into_iter().filter(|name| name.contains(".fits")).collect();
    files.sort();
    expected.sort();
    assert_eq!(files, expected.iter().collect::<Vec<_>>());
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(cutouts.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["counts"], serde_json::json!({"ok": 39, "failed": 1}));
    let last = manifest["rows"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["id"], &last["reason"]),
        (&"elsewhere".into(), &"outside_footprint".into())
    );

    let rows = text(&cutouts.join("manifest.json"));
    let compared = oracle("cutouts.py", &[&text(&maps), &rows, &text(&cutouts)]).await;
    let compared = compared.as_array().unwrap();
    assert_eq!(compared.len(), 39);
    for one in compared {
        assert_eq!(
            (&one["equal"], &one["missing"]),
            (&true.into(), &serde_json::json!([])),
            "{one}"
        );
        assert!(one["off"].as_f64().unwrap() < 1e-12, "{one}");
        assert_eq!(one["sums"], serde_json::json!([2, 2, 2]), "{one}");
    }
    // 5 by 3 arcmin at 0.25.
    let row = &manifest["rows"][0];
    let side = |axis: &str| {
        row[format!("{axis}_max")].as_i64().unwrap() - row[format!("{axis}_min")].as_i64().unwrap() + 1
    };
    assert_eq!(
        (side("x"), side("y"), &row["weight_coverage"]),
        (20, 12, &1.0.into())
    );
    for name in &expected {
        let fetched = std::fs::read(folder.path().join(name)).unwrap();
        assert_eq!(fetched, std::fs::read(cutouts.join(name)).unwrap(), "{name}");
    }
}
