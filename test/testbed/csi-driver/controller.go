package main

import (
	"context"
	"fmt"
	"strconv"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	defaultSize = 1 << 30
	// Below this btrfs' own blocks fill the quota.
	smallestSize = 16 << 20
)

type controller struct {
	csi.UnimplementedControllerServer
	store *store
}

func controllerCapabilities() *csi.ControllerGetCapabilitiesResponse {
	response := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_UNPUBLISH_VOLUME,
		csi.ControllerServiceCapability_RPC_LIST_VOLUMES,
		csi.ControllerServiceCapability_RPC_GET_CAPACITY,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_READONLY,
	} {
		response.Capabilities = append(response.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: kind}},
		})
	}
	return response
}

func (c *controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	return controllerCapabilities(), nil
}

func (c *controller) CreateVolume(_ context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	if request.Name == "" {
		return nil, status.Error(codes.InvalidArgument, "a volume needs a name")
	}
	kind, err := kindOf(request.VolumeCapabilities)
	if err != nil {
		return nil, err
	}
	if !isAllowedOn(request.AccessibilityRequirements, c.store.node) {
		return nil, status.Errorf(codes.ResourceExhausted, "node %s is none of the nodes asked for", c.store.node)
	}
	c.store.mutex.Lock()
	defer c.store.mutex.Unlock()
	wanted := &volume{
		ID:        c.store.idFor("vol", request.Name),
		Name:      request.Name,
		Kind:      kind,
		SizeBytes: sizeFor(request.CapacityRange, 0),
		SourceID:  sourceOf(request.VolumeContentSource),
	}
	path, err := c.adoptSource(wanted, request)
	if err != nil {
		return nil, err
	}
	existing, err := c.store.find("volumes", wanted.ID)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if existing != nil {
		if !fits(existing, request.CapacityRange) || existing.Kind != kind || existing.SourceID != wanted.SourceID {
			return nil, status.Errorf(codes.AlreadyExists, "volume %s exists with another size, mode or source", request.Name)
		}
		return c.describe(existing, request.VolumeContentSource), nil
	}
	if limit := request.CapacityRange.GetLimitBytes(); limit > 0 && wanted.SizeBytes > limit {
		return nil, status.Errorf(codes.OutOfRange, "%d bytes are more than the limit of %d", wanted.SizeBytes, limit)
	}
	if err := c.store.createVolume(wanted, path); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return c.describe(wanted, request.VolumeContentSource), nil
}

// adoptSource checks the content source and returns the path to copy from ("" for an empty volume).
func (c *controller) adoptSource(wanted *volume, request *csi.CreateVolumeRequest) (string, error) {
	if request.VolumeContentSource == nil {
		return "", nil
	}
	group := "volumes"
	if request.VolumeContentSource.GetSnapshot() != nil {
		group = "snapshots"
	}
	source, err := c.store.find(group, wanted.SourceID)
	if err != nil {
		return "", status.Error(codes.Internal, err.Error())
	}
	if source == nil {
		if owner := nodeOf(wanted.SourceID); owner != "" && owner != c.store.node {
			return "", status.Errorf(codes.ResourceExhausted, "%s lies on node %s: its copies can only be made there", wanted.SourceID, owner)
		}
		return "", status.Errorf(codes.NotFound, "there is no source %s", wanted.SourceID)
	}
	if source.Kind != wanted.Kind {
		return "", status.Errorf(codes.InvalidArgument, "the source's volume mode is %s, not %s", source.Kind, wanted.Kind)
	}
	if required := request.CapacityRange.GetRequiredBytes(); required > 0 && required < source.SizeBytes {
		return "", status.Errorf(codes.OutOfRange, "%d bytes are less than the source's %d", required, source.SizeBytes)
	}
	wanted.SizeBytes = sizeFor(request.CapacityRange, source.SizeBytes)
	path := c.store.path(group, source.ID)
	if group == "volumes" && source.Kind == kindBlock {
		if err := flushDevice(path + "/" + diskFile); err != nil {
			return "", status.Error(codes.Internal, err.Error())
		}
	}
	return path, nil
}

func (c *controller) describe(one *volume, source *csi.VolumeContentSource) *csi.CreateVolumeResponse {
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:           one.ID,
		CapacityBytes:      one.SizeBytes,
		ContentSource:      source,
		AccessibleTopology: []*csi.Topology{{Segments: map[string]string{nodeTopology: c.store.node}}},
	}}
}

func (c *controller) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	if request.VolumeId == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id is missing")
	}
	c.store.mutex.Lock()
	defer c.store.mutex.Unlock()
	if err := c.store.remove("volumes", request.VolumeId); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.DeleteVolumeResponse{}, nil
}

func (c *controller) ControllerPublishVolume(_ context.Context, request *csi.ControllerPublishVolumeRequest) (*csi.ControllerPublishVolumeResponse, error) {
	if request.VolumeId == "" || request.NodeId == "" || request.VolumeCapability == nil {
		return nil, status.Error(codes.InvalidArgument, "volume_id, node_id and volume_capability are needed")
	}
	c.store.mutex.Lock()
	defer c.store.mutex.Unlock()
	found, err := c.get(request.VolumeId)
	if err != nil {
		return nil, err
	}
	if request.NodeId != c.store.node {
		return nil, status.Errorf(codes.NotFound, "volume %s is not reachable from node %s", request.VolumeId, request.NodeId)
	}
	mode := "ReadWrite"
	if request.Readonly {
		mode = "ReadOnly"
	}
	if found.Attached != "" && found.Attached != mode {
		return nil, status.Errorf(codes.AlreadyExists, "volume %s is attached %s", found.ID, found.Attached)
	}
	return &csi.ControllerPublishVolumeResponse{}, c.attach(found, mode)
}

func (c *controller) ControllerUnpublishVolume(_ context.Context, request *csi.ControllerUnpublishVolumeRequest) (*csi.ControllerUnpublishVolumeResponse, error) {
	if request.VolumeId == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id is missing")
	}
	c.store.mutex.Lock()
	defer c.store.mutex.Unlock()
	found, err := c.store.find("volumes", request.VolumeId)
	if err != nil || found == nil {
		return &csi.ControllerUnpublishVolumeResponse{}, err
	}
	return &csi.ControllerUnpublishVolumeResponse{}, c.attach(found, "")
}

func (c *controller) attach(found *volume, mode string) error {
	if found.Attached == mode {
		return nil
	}
	found.Attached = mode
	if err := c.store.save("volumes", found); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return nil
}

func (c *controller) ValidateVolumeCapabilities(_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if request.VolumeId == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id is missing")
	}
	if _, err := kindOf(request.VolumeCapabilities); err != nil {
		return nil, err
	}
	if _, err := c.get(request.VolumeId); err != nil {
		return nil, err
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeContext:      request.VolumeContext,
		VolumeCapabilities: request.VolumeCapabilities,
		Parameters:         request.Parameters,
	}}, nil
}

func (c *controller) ListVolumes(_ context.Context, request *csi.ListVolumesRequest) (*csi.ListVolumesResponse, error) {
	found, err := c.store.list("volumes")
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	var entries []*csi.ListVolumesResponse_Entry
	for _, one := range found {
		entries = append(entries, &csi.ListVolumesResponse_Entry{Volume: c.describe(one, nil).Volume})
	}
	page, next, err := paginate(entries, request.StartingToken, request.MaxEntries)
	return &csi.ListVolumesResponse{Entries: page, NextToken: next}, err
}

func (c *controller) GetCapacity(context.Context, *csi.GetCapacityRequest) (*csi.GetCapacityResponse, error) {
	stat := syscall.Statfs_t{}
	if err := syscall.Statfs(c.store.folder, &stat); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.GetCapacityResponse{AvailableCapacity: int64(stat.Bavail) * stat.Bsize}, nil
}

func (c *controller) ControllerExpandVolume(_ context.Context, request *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	if request.VolumeId == "" || request.CapacityRange == nil {
		return nil, status.Error(codes.InvalidArgument, "volume_id and capacity_range are needed")
	}
	c.store.mutex.Lock()
	defer c.store.mutex.Unlock()
	found, err := c.get(request.VolumeId)
	if err != nil {
		return nil, err
	}
	found.SizeBytes = sizeFor(request.CapacityRange, found.SizeBytes)
	if err := c.store.resize(found); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if err := c.store.save("volumes", found); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.ControllerExpandVolumeResponse{
		CapacityBytes:         found.SizeBytes,
		NodeExpansionRequired: found.Kind == kindBlock,
	}, nil
}

func (c *controller) get(id string) (*volume, error) {
	found, err := c.store.find("volumes", id)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	if found == nil {
		return nil, status.Errorf(codes.NotFound, "there is no volume %s", id)
	}
	return found, nil
}

func kindOf(capabilities []*csi.VolumeCapability) (string, error) {
	if len(capabilities) == 0 {
		return "", status.Error(codes.InvalidArgument, "volume_capabilities are missing")
	}
	kind := ""
	for _, capability := range capabilities {
		own := kindFilesystem
		if capability.GetBlock() != nil {
			own = kindBlock
		}
		if kind != "" && kind != own {
			return "", status.Error(codes.InvalidArgument, "a volume is either a file system or a block device")
		}
		kind = own
	}
	return kind, nil
}

func sourceOf(source *csi.VolumeContentSource) string {
	if id := source.GetSnapshot().GetSnapshotId(); id != "" {
		return id
	}
	return source.GetVolume().GetVolumeId()
}

func sizeFor(wanted *csi.CapacityRange, atLeast int64) int64 {
	size := max(wanted.GetRequiredBytes(), atLeast)
	if size == 0 {
		size = defaultSize
		if limit := wanted.GetLimitBytes(); limit > 0 {
			size = min(size, limit)
		}
	}
	return max(size, smallestSize)
}

func fits(existing *volume, wanted *csi.CapacityRange) bool {
	limit := wanted.GetLimitBytes()
	return existing.SizeBytes >= wanted.GetRequiredBytes() && (limit == 0 || existing.SizeBytes <= limit)
}

func isAllowedOn(requirement *csi.TopologyRequirement, node string) bool {
	if len(requirement.GetRequisite()) == 0 {
		return true
	}
	for _, topology := range requirement.Requisite {
		if topology.Segments[nodeTopology] == node {
			return true
		}
	}
	return false
}

// paginate uses the index as the token.
func paginate[T any](entries []T, token string, limit int32) ([]T, string, error) {
	start := 0
	if token != "" {
		parsed, err := strconv.Atoi(token)
		if err != nil || parsed < 0 || parsed > len(entries) {
			return nil, "", status.Error(codes.Aborted, "unknown starting_token")
		}
		start = parsed
	}
	rest := entries[start:]
	if limit <= 0 || int(limit) >= len(rest) {
		return rest, "", nil
	}
	return rest[:limit], fmt.Sprint(start + int(limit)), nil
}
