package main

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (c *controller) CreateSnapshot(_ context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if request.Name == "" || request.SourceVolumeId == "" {
		return nil, status.Error(codes.InvalidArgument, "name and source_volume_id are needed")
	}
	c.store.mutex.Lock()
	defer c.store.mutex.Unlock()
	source, err := c.get(request.SourceVolumeId)
	if err != nil {
		return nil, err
	}
	id := c.store.idFor("snap", request.Name)
	existing, err := c.store.find("snapshots", id)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if existing != nil {
		if existing.SourceID != request.SourceVolumeId {
			return nil, status.Errorf(codes.AlreadyExists, "snapshot %s exists of another volume", request.Name)
		}
		return &csi.CreateSnapshotResponse{Snapshot: describeSnapshot(existing)}, nil
	}
	snapshot := &volume{ID: id, Name: request.Name, Kind: source.Kind, SizeBytes: source.SizeBytes, SourceID: source.ID}
	if err := c.store.createSnapshot(snapshot); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.CreateSnapshotResponse{Snapshot: describeSnapshot(snapshot)}, nil
}

func (c *controller) DeleteSnapshot(_ context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if request.SnapshotId == "" {
		return nil, status.Error(codes.InvalidArgument, "snapshot_id is missing")
	}
	c.store.mutex.Lock()
	defer c.store.mutex.Unlock()
	if err := c.store.remove("snapshots", request.SnapshotId); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.DeleteSnapshotResponse{}, nil
}

func (c *controller) ListSnapshots(_ context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	found, err := c.store.list("snapshots")
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	var entries []*csi.ListSnapshotsResponse_Entry
	for _, one := range found {
		if request.SnapshotId != "" && one.ID != request.SnapshotId {
			continue
		}
		if request.SourceVolumeId != "" && one.SourceID != request.SourceVolumeId {
			continue
		}
		entries = append(entries, &csi.ListSnapshotsResponse_Entry{Snapshot: describeSnapshot(one)})
	}
	page, next, err := paginate(entries, request.StartingToken, request.MaxEntries)
	return &csi.ListSnapshotsResponse{Entries: page, NextToken: next}, err
}

func describeSnapshot(one *volume) *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId:     one.ID,
		SourceVolumeId: one.SourceID,
		SizeBytes:      one.SizeBytes,
		CreationTime:   timestamppb.New(one.CreatedAt),
		ReadyToUse:     true,
	}
}
