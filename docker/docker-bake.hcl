# Every image, for `docker buildx bake`. `nox -s build-images` sets the variables; docker/build.py says from what.

# The version of the repository.
variable "VERSION" {
  default = ""
}

# The commit that is built, in full, with `-dirty` behind it where the work tree differs.
variable "COMMIT" {
  default = ""
}

# The same in short, for the name of the image.
variable "TAG" {
  default = ""
}

# What stands in front of the names, such as `registry.example/team/`; nothing on a laptop.
variable "REPOSITORY" {
  default = ""
}

# Where the source lives, as an address.
variable "SOURCE" {
  default = ""
}

# The commit's time, which the image's record carries, so that two builds of one commit are the same.
variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

# The base image by its digest, in place of the one that the Dockerfiles name.
variable "BASE_IMAGE" {
  default = ""
}

# Name and digest of the base image, for the labels.
variable "BASE_NAME" {
  default = ""
}

variable "BASE_DIGEST" {
  default = ""
}

# The uv and the torch that uv.lock pins.
variable "UV_VERSION" {
  default = ""
}

variable "TORCH_VERSION" {
  default = ""
}

# What the training image computes on: cpu or cuda.
variable "ACCELERATOR" {
  default = "cpu"
}

# Which build of torch uv installs, as UV_TORCH_BACKEND says, such as `cpu`; empty means the one in uv.lock.
variable "TORCH_BACKEND" {
  default = ""
}

# The sha256 of the exported model.
variable "MODEL_DIGEST" {
  default = ""
}

# The digest of the dataset that the model was trained on.
variable "DATASET_DIGEST" {
  default = ""
}

# The platforms to build for, separated by commas; empty means that of the builder. Several need a builder with the
# driver docker-container, and `--push` in place of `--load`.
variable "PLATFORMS" {
  default = ""
}

# Where layers are kept between machines: `gha`, or a repository in a registry for `registry`. Empty: nowhere.
variable "CACHE" {
  default = ""
}

# Whether the builder attaches provenance and its own bill of materials, for which it needs a registry.
variable "ATTEST" {
  default = ""
}

function "cache_from" {
  params = [image]
  result = CACHE == "" ? [] : [CACHE == "gha" ? "type=gha,scope=${image}" : "type=registry,ref=${CACHE}:${image}"]
}

function "cache_to" {
  params = [image]
  result = CACHE == "" ? [] : [CACHE == "gha" ? "type=gha,scope=${image},mode=max" : "type=registry,ref=${CACHE}:${image},mode=max"]
}

function "names" {
  params = [image]
  result = [
    "${REPOSITORY}headworks-${image}:${VERSION}",
    "${REPOSITORY}headworks-${image}:${VERSION}-${TAG}",
  ]
}

group "default" {
  targets = ["serving", "training"]
}

target "image" {
  context   = "."
  contexts  = BASE_IMAGE == "" ? {} : { interpreter = "docker-image://${BASE_IMAGE}" }
  platforms = PLATFORMS == "" ? [] : split(",", PLATFORMS)
  attest    = ATTEST == "" ? [] : ["type=provenance,mode=max", "type=sbom"]
  args = {
    VERSION           = VERSION
    COMMIT            = COMMIT
    SOURCE            = SOURCE
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
    BASE_NAME         = BASE_NAME
    BASE_DIGEST       = BASE_DIGEST
    UV_VERSION        = UV_VERSION
  }
}

target "serving" {
  inherits   = ["image"]
  dockerfile = "docker/serving.Dockerfile"
  tags       = names("serving")
  cache-from = cache_from("serving")
  cache-to   = cache_to("serving")
  args = {
    MODEL_DIGEST   = MODEL_DIGEST
    DATASET_DIGEST = DATASET_DIGEST
  }
}

target "training" {
  inherits   = ["image"]
  dockerfile = "docker/training.Dockerfile"
  tags       = names("training")
  cache-from = cache_from("training")
  cache-to   = cache_to("training")
  args = {
    ACCELERATOR      = ACCELERATOR
    TORCH_VERSION    = TORCH_VERSION
    TORCH_BACKEND    = TORCH_BACKEND
  }
}
