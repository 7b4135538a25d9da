package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type nodeService struct {
	csi.UnimplementedNodeServer
	store *store
}

func (n *nodeService) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{
		NodeId:             n.store.node,
		MaxVolumesPerNode:  110,
		AccessibleTopology: &csi.Topology{Segments: map[string]string{nodeTopology: n.store.node}},
	}, nil
}

func (n *nodeService) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	response := &csi.NodeGetCapabilitiesResponse{}
	for _, kind := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
	} {
		response.Capabilities = append(response.Capabilities, &csi.NodeServiceCapability{
			Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: kind}},
		})
	}
	return response, nil
}

func (n *nodeService) NodePublishVolume(_ context.Context, request *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if request.VolumeId == "" || request.TargetPath == "" || request.VolumeCapability == nil {
		return nil, status.Error(codes.InvalidArgument, "volume_id, target_path and volume_capability are needed")
	}
	n.store.mutex.Lock()
	defer n.store.mutex.Unlock()
	found, err := n.get(request.VolumeId)
	if err != nil {
		return nil, err
	}
	if isMounted(request.TargetPath) {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	if err := n.publish(found, request.TargetPath, request.Readonly); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

func (n *nodeService) publish(found *volume, target string, readonly bool) error {
	source := n.store.path("volumes", found.ID)
	if found.Kind == kindFilesystem {
		if err := os.MkdirAll(target, 0o750); err != nil {
			return err
		}
	} else {
		device, err := ensureLoopDevice(filepath.Join(source, diskFile), readonly)
		if err != nil {
			return err
		}
		source = device
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(target, nil, 0o600); err != nil {
			return err
		}
	}
	if err := command("mount", "--bind", source, target); err != nil {
		return err
	}
	if readonly {
		return command("mount", "-o", "remount,bind,ro", target)
	}
	return nil
}

func (n *nodeService) NodeUnpublishVolume(_ context.Context, request *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if request.VolumeId == "" || request.TargetPath == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id and target_path are needed")
	}
	n.store.mutex.Lock()
	defer n.store.mutex.Unlock()
	if isMounted(request.TargetPath) {
		if err := command("umount", request.TargetPath); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	if err := os.Remove(request.TargetPath); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	// Busy while another pod uses the device: the kernel then detaches it after the last one.
	if device, _ := loopDevice(filepath.Join(n.store.path("volumes", request.VolumeId), diskFile)); device != "" {
		if err := command("losetup", "-d", device); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

func (n *nodeService) NodeGetVolumeStats(_ context.Context, request *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	if request.VolumeId == "" || request.VolumePath == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id and volume_path are needed")
	}
	found, err := n.get(request.VolumeId)
	if err != nil {
		return nil, err
	}
	if !isMounted(request.VolumePath) {
		return nil, status.Errorf(codes.NotFound, "nothing is mounted at %s", request.VolumePath)
	}
	usage := &csi.VolumeUsage{Unit: csi.VolumeUsage_BYTES, Total: found.SizeBytes}
	if found.Kind == kindFilesystem {
		used, err := n.store.usedBytes(found.ID)
		if err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
		usage.Used, usage.Available = used, max(0, found.SizeBytes-used)
	}
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{usage}}, nil
}

func (n *nodeService) NodeExpandVolume(_ context.Context, request *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	if request.VolumeId == "" || request.VolumePath == "" {
		return nil, status.Error(codes.InvalidArgument, "volume_id and volume_path are needed")
	}
	found, err := n.get(request.VolumeId)
	if err != nil {
		return nil, err
	}
	device, err := loopDevice(filepath.Join(n.store.path("volumes", found.ID), diskFile))
	if err == nil && device != "" {
		err = command("losetup", "--set-capacity", device)
	}
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeExpandVolumeResponse{CapacityBytes: found.SizeBytes}, nil
}

func (n *nodeService) get(id string) (*volume, error) {
	return (&controller{store: n.store}).get(id)
}

func ensureLoopDevice(file string, readonly bool) (string, error) {
	device, err := loopDevice(file)
	if err != nil || device != "" {
		return device, err
	}
	args := []string{"--find", "--show"}
	if readonly {
		args = append(args, "--read-only")
	}
	text, err := output("losetup", append(args, file)...)
	return strings.TrimSpace(text), err
}

// isMounted asks the mount table: a bind mount of a subvolume is on the same file system as its parent may be.
func isMounted(path string) bool {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == resolved {
			return true
		}
	}
	return false
}
