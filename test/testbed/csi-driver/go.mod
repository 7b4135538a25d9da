module stork.test/csi-driver

go 1.26.0
