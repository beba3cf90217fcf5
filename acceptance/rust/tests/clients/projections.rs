//! The projections that are always there.

use kurrentdb::{Error, GenericProjectionOptions, ProjectionClient};

use crate::server::Server;

#[tokio::test]
async fn the_five_of_the_system_run() {
    let server = Server::start().await;
    let projections = ProjectionClient::from(server.client.clone());
    let options = GenericProjectionOptions::default();
    for name in ["$by_category", "$by_event_type", "$stream_by_category", "$streams", "$by_correlation_id"] {
        projections.enable(name, &options).await.unwrap();
        let status = projections.get_status(name, &options).await.unwrap().unwrap();
        assert_eq!((&*status.name, &*status.status), (name, "Running"));
    }
    let missing = projections.enable("mine", &options).await;
    assert!(matches!(missing, Err(Error::ResourceNotFound)), "{missing:?}");
    let made = projections.create("mine", "fromAll()".to_owned(), &Default::default()).await;
    assert!(matches!(made, Err(Error::UnsupportedFeature)), "{made:?}");
    assert!(server.stop().await);
}
