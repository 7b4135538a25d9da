package main

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// router is the cluster's controller: an id names its node, a new volume goes
// where its source lies, else to the node that the scheduler or the provisioner prefers.
type router struct {
	csi.UnimplementedControllerServer
	nodes map[string]csi.ControllerClient
	names []string
}

func dialNodes(specs []string) (*router, error) {
	r := &router{nodes: map[string]csi.ControllerClient{}}
	for _, spec := range specs {
		name, socket, found := strings.Cut(spec, "=")
		if !found {
			return nil, fmt.Errorf("not NAME=SOCKET: %q", spec)
		}
		connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		r.nodes[name] = csi.NewControllerClient(connection)
		r.names = append(r.names, name)
	}
	sort.Strings(r.names)
	return r, nil
}

func (r *router) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	return controllerCapabilities(), nil
}

func (r *router) CreateVolume(ctx context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	node := r.choose(request)
	if node == nil {
		return nil, status.Error(codes.ResourceExhausted, "none of the nodes asked for has this driver")
	}
	return node.CreateVolume(ctx, request)
}

func (r *router) choose(request *csi.CreateVolumeRequest) csi.ControllerClient {
	if source := sourceOf(request.VolumeContentSource); source != "" {
		return r.nodes[nodeOf(source)]
	}
	requirement := request.AccessibilityRequirements
	for _, topology := range append(requirement.GetPreferred(), requirement.GetRequisite()...) {
		if node := r.nodes[topology.Segments[nodeTopology]]; node != nil {
			return node
		}
	}
	if requirement == nil {
		return r.nodes[r.names[0]]
	}
	return nil
}

// of returns nil for an id that no node can have made.
func (r *router) of(id string) csi.ControllerClient {
	return r.nodes[nodeOf(id)]
}

func (r *router) DeleteVolume(ctx context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if node := r.of(request.VolumeId); node != nil {
		return node.DeleteVolume(ctx, request)
	}
	return &csi.DeleteVolumeResponse{}, nil
}

func (r *router) ControllerPublishVolume(ctx context.Context, request *csi.ControllerPublishVolumeRequest) (*csi.ControllerPublishVolumeResponse, error) {
	if node := r.of(request.VolumeId); node != nil {
		return node.ControllerPublishVolume(ctx, request)
	}
	return nil, unknown(request.VolumeId)
}

func (r *router) ControllerUnpublishVolume(ctx context.Context, request *csi.ControllerUnpublishVolumeRequest) (*csi.ControllerUnpublishVolumeResponse, error) {
	if node := r.of(request.VolumeId); node != nil {
		return node.ControllerUnpublishVolume(ctx, request)
	}
	return &csi.ControllerUnpublishVolumeResponse{}, nil
}

func (r *router) ValidateVolumeCapabilities(ctx context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if node := r.of(request.VolumeId); node != nil {
		return node.ValidateVolumeCapabilities(ctx, request)
	}
	return nil, unknown(request.VolumeId)
}

func (r *router) ControllerExpandVolume(ctx context.Context, request *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	if node := r.of(request.VolumeId); node != nil {
		return node.ControllerExpandVolume(ctx, request)
	}
	return nil, unknown(request.VolumeId)
}

func (r *router) CreateSnapshot(ctx context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	if node := r.of(request.SourceVolumeId); node != nil {
		return node.CreateSnapshot(ctx, request)
	}
	return nil, unknown(request.SourceVolumeId)
}

func (r *router) DeleteSnapshot(ctx context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	if node := r.of(request.SnapshotId); node != nil {
		return node.DeleteSnapshot(ctx, request)
	}
	return &csi.DeleteSnapshotResponse{}, nil
}

func (r *router) GetCapacity(ctx context.Context, request *csi.GetCapacityRequest) (*csi.GetCapacityResponse, error) {
	if node := r.nodes[request.AccessibleTopology.GetSegments()[nodeTopology]]; node != nil {
		return node.GetCapacity(ctx, request)
	}
	total := &csi.GetCapacityResponse{}
	for _, name := range r.names {
		one, err := r.nodes[name].GetCapacity(ctx, request)
		if err != nil {
			return nil, err
		}
		total.AvailableCapacity += one.AvailableCapacity
	}
	return total, nil
}

func (r *router) ListVolumes(ctx context.Context, request *csi.ListVolumesRequest) (*csi.ListVolumesResponse, error) {
	var entries []*csi.ListVolumesResponse_Entry
	for _, name := range r.names {
		one, err := r.nodes[name].ListVolumes(ctx, &csi.ListVolumesRequest{})
		if err != nil {
			return nil, err
		}
		entries = append(entries, one.Entries...)
	}
	page, next, err := paginate(entries, request.StartingToken, request.MaxEntries)
	return &csi.ListVolumesResponse{Entries: page, NextToken: next}, err
}

func (r *router) ListSnapshots(ctx context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	var entries []*csi.ListSnapshotsResponse_Entry
	filter := &csi.ListSnapshotsRequest{SnapshotId: request.SnapshotId, SourceVolumeId: request.SourceVolumeId}
	for _, name := range r.names {
		one, err := r.nodes[name].ListSnapshots(ctx, filter)
		if err != nil {
			return nil, err
		}
		entries = append(entries, one.Entries...)
	}
	page, next, err := paginate(entries, request.StartingToken, request.MaxEntries)
	return &csi.ListSnapshotsResponse{Entries: page, NextToken: next}, err
}

func unknown(id string) error {
	return status.Errorf(codes.NotFound, "no node has made %q", id)
}
