//! `sidereal demo`: a server, an image and a job in one command.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;
use clap::Args;

use super::{
    Usage, ingest,
    job::{fetch, wait},
    report, say,
    serve::{self, Signals},
};
use crate::{
    app::{App, AppError},
    client::{Client, Credential, Submission, Value},
    settings::{LogFormat, Settings, environment},
    telemetry,
};

/// Name of the collection that the image becomes.
const COLLECTION: &str = "demo";
/// Folder below the data directory that the cutouts are saved in.
const FOLDER: &str = "demo";
/// Between two looks at the job.
const INTERVAL: Duration = Duration::from_secs(5);

/// Serve with the embedded defaults and cut pieces out of an image, over UWS
///
/// Prints the job's URL, that of its page if the web app has been built, each phase, and the path of each saved cutout; then keeps serving.
#[derive(Debug, Args)]
pub struct Demo {
    /// FITS image to cut from
    #[arg(long, value_name = "FILE", requires_all = ["ra", "dec"])]
    image: Option<PathBuf>,
    /// Right ascension of the cutouts' centre, ICRS degrees
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    ra: Option<f64>,
    /// Declination of the cutouts' centre, ICRS degrees
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    dec: Option<f64>,
    /// End when the cutouts are saved
    #[arg(long)]
    once: bool,
    /// Public listener [default: 127.0.0.1:8080, or a free port if that is taken]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Home of the database, the results and the cutouts [default: data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
}

impl Demo {
    pub async fn run(self) -> Result<()> {
        let (Some(image), Some(ra), Some(dec)) = (&self.image, self.ra, self.dec) else {
            return Err(Usage(
                "the demo needs an image: `make demo` fetches one, or name your own by --image FILE and a place on it \
                 by --ra DEGREES --dec DEGREES"
                    .into(),
            )
            .into());
        };
        if !image.is_file() {
            return Err(Usage(format!("--image: there is no file {}", image.display())).into());
        }
        let settings = self.settings()?;
        telemetry::install(&settings.log.level, settings.log.format == LogFormat::Json)?;
        let mut signals = Signals::new()?;
        let app = start(settings.clone()).await?;
        let shown = tokio::select! {
            shown = show(&settings, &app, image, (ra, dec)) => shown,
            () = signals.next() => return serve::drain(app, &mut signals).await,
        };
        match shown {
            Ok(()) if !self.once => {
                say("serving until Ctrl-C")?;
                signals.next().await;
                serve::drain(app, &mut signals).await
            }
            Ok(()) => serve::drain(app, &mut signals).await,
            Err(error) => {
                if let Err(error) = serve::drain(app, &mut signals).await {
                    report(None, &error);
                }
                Err(error)
            }
        }
    }

    /// The embedded defaults, whatever else is set for servers.
    fn settings(&self) -> Result<Settings> {
        let flags: Vec<(&str, String)> = [("listen", &self.listen), ("data_dir", &self.data_dir)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.clone()?)))
            .collect();
        let set = Settings::load(None, environment(), &flags)?;
        let mut settings = Settings {
            listen: set.listen,
            data_dir: set.data_dir,
            web_app_dir: set.web_app_dir,
            web_app_dev_url: set.web_app_dev_url,
            auth: set.auth,
            log: set.log,
            ..Settings::default()
        };
        if settings.log.level == Settings::default().log.level {
            settings.log.level = "warn".into();
        }
        Ok(settings)
    }
}

/// Starts the server; another one on the default address is no hindrance.
async fn start(mut settings: Settings) -> Result<App> {
    match serve::start(settings.clone()).await {
        Err(error) if settings.listen == Settings::default().listen && is_taken(&error) => {
            settings.listen.set_port(0);
            serve::start(settings).await
        }
        started => started,
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(AppError::Listen { source, .. }) if source.kind() == std::io::ErrorKind::AddrInUse
    )
}

async fn show(settings: &Settings, app: &App, image: &Path, (ra, dec): (f64, f64)) -> Result<()> {
    let image = std::path::absolute(image)?;
    let name = image.file_name().and_then(std::ffi::OsStr::to_str);
    let (Some(url), Some(name)) = (image.to_str(), name) else {
        return Err(Usage("--image: the name of the file is no Unicode".into()).into());
    };
    let counts = ingest::into_collection(settings, COLLECTION, &[url.to_owned()]).await?;
    anyhow::ensure!(counts.images > 0, "{url} is no FITS image that can be cut");

    let client = Client::new(format!("http://{}", app.address()).parse()?, Credential::None)?;
    let submission = Submission {
        parameters: vec![
            // The collection may have other images of earlier demos.
            ("ID".into(), Value::Text(format!("{COLLECTION}/{name}"))),
            ("POSITIONS".into(), Value::Text(positions(ra, dec))),
        ],
        run_id: Some("demo".into()),
        run: false,
    };
    let created = client.create("cutout", &submission).await?;
    say(&created.url)?;
    if let (Some(web_app), Some(mut segments)) = (app.web_app(), created.url.path_segments()) {
        let id = segments.next_back().unwrap_or_default();
        say(format_args!("{web_app}jobs/{id}"))?;
    }
    let mut told = client.job(&created.address).await?.phase;
    say(told)?;
    client.run(&created.address).await?;
    let mut written = Ok(());
    let job = client
        .follow(&created.address, INTERVAL, |job| {
            if job.phase != told && written.is_ok() {
                told = job.phase;
                written = say(told);
            }
        })
        .await?;
    written?;
    wait::ended_well(&job)?;

    let folder = settings.data_dir.join(FOLDER);
    let mut cutouts = 0;
    fetch::save(&client, &created.address, &job, &folder, |path| {
        if path.extension().is_some_and(|extension| extension == "fits") {
            cutouts += 1;
            say(path.display())
        } else {
            Ok(())
        }
    })
    .await?;
    anyhow::ensure!(
        cutouts > 0,
        "no cutout was made; {} says why for each position (is {ra} {dec} on the image?)",
        folder.join("manifest.csv").display()
    );
    Ok(())
}

/// One place at three sizes, in arcmin.
fn positions(ra: f64, dec: f64) -> String {
    let rows = ["0.5", "1", "2"].map(|size| format!("{ra},{dec},demo-{size}arcmin,{size},{size}\n"));
    format!("RA,DEC,OBJID,XSIZE,YSIZE\n{}", rows.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_one_row_a_size() {
        assert_eq!(
            positions(250.5, -36.25),
            "RA,DEC,OBJID,XSIZE,YSIZE\n\
             250.5,-36.25,demo-0.5arcmin,0.5,0.5\n\
             250.5,-36.25,demo-1arcmin,1,1\n\
             250.5,-36.25,demo-2arcmin,2,2\n"
        );
    }
}
