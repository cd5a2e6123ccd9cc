//! The harness itself: a test that cannot fail proves nothing, so what the others depend on is tested here.

use sqlx::Connection;
use tenantry_harness::{Cluster, Version};

#[tokio::test]
async fn both_postgresql_versions_start_and_report_their_version() {
    for (version, expected) in [(Version::Packaged, 150_000..), (Version::V18, 180_000..)] {
        let cluster = Cluster::private(version);
        let mut connection = cluster.superuser("postgres").await;
        let number: String =
            sqlx::query_scalar("show server_version_num").fetch_one(&mut connection).await.unwrap();
        assert!(expected.contains(&number.parse().unwrap()), "{number}");
        connection.close().await.unwrap();
    }
}
